//! Copies that were read a moment ago, in memory: Redis is asked each time, and says only that they are the same.

use std::sync::{Arc, PoisonError, RwLock};

use crate::generations::Generations;
use crate::redis::cache::{Cache, CopyNonce};

/// Most copies of a generation; there are two.
const MOST: usize = 2048;

/// A copy, and what Redis knows it by.
type Copy<T> = (CopyNonce, Arc<T>);

/// Copies of one kind of record.
pub struct Known<T>(RwLock<OfEpoch<T>>);

struct OfEpoch<T> {
    epoch: u64,
    copies: Generations<String, Copy<T>>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(RwLock::new(OfEpoch { epoch: 0, copies: Generations::of(MOST) }))
    }
}

impl<T> Known<T> {
    /// The copy of a place, and what Redis knows it by.
    pub fn get(&self, place: &str) -> Option<Copy<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).copies.get(place).cloned()
    }

    /// Keeps a copy. With another epoch, as after an erasure, all of the one before go.
    pub fn keep(&self, cache: &Cache, place: &str, nonce: CopyNonce, copy: Arc<T>) {
        let Some(view) = cache.views.now() else { return };
        let mut of = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if of.epoch != view.epoch.copies {
            *of = OfEpoch { epoch: view.epoch.copies, copies: Generations::of(MOST) };
        }
        of.copies.keep(place.to_owned(), (nonce, copy));
    }
}
