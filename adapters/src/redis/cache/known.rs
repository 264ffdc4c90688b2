//! Copies that were read a moment ago, in memory: Redis is asked each time, and says only that they are the same.

use std::sync::{Arc, PoisonError, RwLock};

use crate::generations::Generations;
use crate::redis::cache::CopyNonce;

/// Most copies of a generation; there are two.
const MOST: usize = 2048;

/// What Redis knows a copy by, in the epoch that the copy was sealed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The epoch.
    pub epoch: u64,
    /// The nonce.
    pub nonce: CopyNonce,
}

/// Copies of one kind of record, of one epoch.
pub struct Known<T>(RwLock<OfEpoch<T>>);

struct OfEpoch<T> {
    epoch: u64,
    copies: Generations<String, (Stamp, Arc<T>)>,
}

impl<T> OfEpoch<T> {
    fn of(epoch: u64) -> Self {
        Self { epoch, copies: Generations::of(MOST) }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(RwLock::new(OfEpoch::of(0)))
    }
}

impl<T> Known<T> {
    /// The copy of a place. With another epoch, as after an erasure, all of the one before go.
    pub fn get(&self, epoch: u64, place: &str) -> Option<(Stamp, Arc<T>)> {
        let of = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if of.epoch == epoch {
            return of.copies.get(place).cloned();
        }
        drop(of);
        self.begin(epoch);
        None
    }

    /// Keeps a copy, unless its epoch is over.
    pub fn keep(&self, place: &str, stamp: Stamp, copy: Arc<T>) {
        self.begin(stamp.epoch);
        let mut of = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if of.epoch == stamp.epoch {
            of.copies.keep(place.to_owned(), (stamp, copy));
        }
    }

    /// Epochs only go up.
    fn begin(&self, epoch: u64) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).epoch >= epoch {
            return;
        }
        let mut of = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if of.epoch < epoch {
            *of = OfEpoch::of(epoch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outlives_its_epoch() {
        let (known, stamp) = (Known::default(), |epoch| Stamp { epoch, nonce: [1; 12] });
        known.keep("user:1", stamp(3), Arc::new(1));
        assert_eq!(known.get(3, "user:1"), Some((stamp(3), Arc::new(1))));
        assert_eq!(known.get(3, "user:2"), None);
        assert_eq!(known.get(4, "user:1"), None);
        assert!(known.0.read().unwrap().copies.get("user:1").is_none(), "it is let go of");
        known.keep("user:1", stamp(3), Arc::new(1));
        assert!(known.0.read().unwrap().copies.get("user:1").is_none(), "read in an epoch that is over");
        assert_eq!((known.get(3, "user:1"), known.get(4, "user:1")), (None, None));
    }
}
