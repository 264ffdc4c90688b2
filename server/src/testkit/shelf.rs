//! The mailbox's copies, in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portcullis_adapters::outbox::shelf::{Shelf, Shelved};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::error::PortError;

/// Copies in the order in which they came.
#[derive(Debug, Default)]
pub struct MemoryShelf(Mutex<Vec<Shelved>>);

impl MemoryShelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Shelved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Shelved> {
        self.lock().clone()
    }

    /// These instead.
    pub fn replace(&self, copies: Vec<Shelved>) {
        *self.lock() = copies;
    }
}

#[async_trait]
impl Shelf for MemoryShelf {
    async fn put(&self, copy: Shelved) -> Result<(), PortError> {
        let mut copies = self.lock();
        copies.retain(|other| (other.job, other.part) != (copy.job, copy.part));
        copies.push(copy);
        Ok(())
    }

    async fn newest(&self, limit: u32) -> Result<Vec<Shelved>, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.lock().iter().rev().take(limit).cloned().collect())
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.lock().retain(|copy| copy.realm != *realm || copy.subject != *subject);
        Ok(())
    }
}
