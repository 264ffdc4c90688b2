//! State behind a lock that outlives a failed assertion of another thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex without poisoning: a test that failed while holding it has been reported already.
#[derive(Debug, Default)]
pub(crate) struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
