//! A mutex per document.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Documents whose hashes agree share a lock.
const LOCKS: usize = 256;

/// Locks documents by collection and id.
pub struct KeyedMutex {
    hasher: RandomState,
    locks: Vec<Arc<Mutex<()>>>,
}

impl Default for KeyedMutex {
    fn default() -> Self {
        Self { hasher: RandomState::new(), locks: (0..LOCKS).map(|_| Arc::default()).collect() }
    }
}

impl KeyedMutex {
    /// Waits for the lock of a document.
    pub async fn lock(&self, collection: &str, id: &str) -> Option<OwnedMutexGuard<()>> {
        let number = self.hasher.hash_one((collection, id)) % LOCKS as u64;
        let lock = self.locks.get(usize::try_from(number).unwrap_or(0))?;
        Some(lock.clone().lock_owned().await)
    }
}
