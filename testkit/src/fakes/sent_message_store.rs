//! Copies of sent messages in a list.

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::sent_message_store::SentMessageStore;

/// Keeps copies as long as it lives, in the order in which they came.
#[derive(Debug)]
pub struct FakeSentMessageStore {
    pub(crate) copies: Locked<Vec<StoredMessage>>,
    faults: Faults,
}

impl FakeSentMessageStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { copies: Locked::default(), faults: Faults::new("sent_message_store", plan) }
    }

    /// What breaks.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// All copies, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<StoredMessage> {
        self.copies.lock().clone()
    }

    /// Removes every copy.
    pub fn clear(&self) {
        self.copies.lock().clear();
    }
}

#[async_trait]
impl SentMessageStore for FakeSentMessageStore {
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError> {
        self.faults.call("put", || {
            let mut copies = self.copies.lock();
            copies.retain(|other| (other.job, other.part) != (copy.job, copy.part));
            copies.push(copy);
        })
    }

    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.faults.call("newest", || self.copies.lock().iter().rev().take(limit).cloned().collect())
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.faults.call("forget", || {
            self.copies.lock().retain(|copy| copy.realm != *realm || copy.subject != *subject);
        })
    }
}
