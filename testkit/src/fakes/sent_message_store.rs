//! Copies of sent messages in a list.

use async_trait::async_trait;

use crate::locked::Locked;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::sent_message_store::SentMessageStore;

/// Keeps copies as long as it lives, in the order in which they came. It never breaks: a test reads here what was sent,
/// also while every other port is broken.
#[derive(Debug, Default)]
pub struct FakeSentMessageStore {
    pub(crate) copies: Locked<Vec<StoredMessage>>,
}

impl FakeSentMessageStore {
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
        let mut copies = self.copies.lock();
        copies.retain(|other| (other.job, other.part) != (copy.job, copy.part));
        copies.push(copy);
        Ok(())
    }

    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.copies.lock().iter().rev().take(limit).cloned().collect())
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.copies.lock().retain(|copy| copy.realm != *realm || copy.subject != *subject);
        Ok(())
    }
}
