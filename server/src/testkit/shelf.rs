//! The mailbox's copies, in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portcullis_adapters::messaging::dev_mailbox::shelf::{SentMessageStore, StoredMessage};
use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::error::PortError;

/// Copies in the order in which they came.
#[derive(Debug, Default)]
pub struct MemoryShelf(Mutex<Vec<StoredMessage>>);

impl MemoryShelf {
    fn lock(&self) -> MutexGuard<'_, Vec<StoredMessage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<StoredMessage> {
        self.lock().clone()
    }

    /// These instead.
    pub fn replace(&self, copies: Vec<StoredMessage>) {
        *self.lock() = copies;
    }
}

#[async_trait]
impl SentMessageStore for MemoryShelf {
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError> {
        let mut copies = self.lock();
        copies.retain(|other| (other.job, other.part) != (copy.job, copy.part));
        copies.push(copy);
        Ok(())
    }

    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.lock().iter().rev().take(limit).cloned().collect())
    }

    async fn keys(&self, after: Option<String>, limit: u32) -> Result<KeyPage, PortError> {
        let copies = self.lock();
        let from = after.as_deref().and_then(|behind| behind.parse().ok()).unwrap_or(0_usize);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let held = |copy: &StoredMessage| StoredDataKey {
            realm: copy.realm.clone(),
            record: *copy.job.as_bytes(),
            part: copy.part,
            key: copy.key.clone(),
        };
        let keys = copies.iter().skip(from).take(limit).map(held).collect();
        let next = from.saturating_add(limit);
        Ok(KeyPage { keys, behind: (next < copies.len()).then(|| next.to_string()) })
    }

    async fn swap_keys(&self, swaps: Vec<KeyReplacement>) -> Result<u64, PortError> {
        let mut copies = self.lock();
        let mut put = 0;
        for KeyReplacement { seen, fresh } in swaps {
            let same = |copy: &&mut StoredMessage| {
                (&copy.realm, copy.job.as_bytes(), copy.part) == (&seen.realm, &seen.record, seen.part)
            };
            if let Some(copy) = copies.iter_mut().find(same).filter(|copy| copy.key == seen.key) {
                copy.key = fresh;
                put += 1;
            }
        }
        Ok(put)
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.lock().retain(|copy| copy.realm != *realm || copy.subject != *subject);
        Ok(())
    }
}
