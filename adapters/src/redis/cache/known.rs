//! Copies that were opened a moment ago, in memory. Redis is asked each time, and says only that they are the same.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use crate::generations::Generations;
use crate::redis::cache::CopyNonce;

/// Most copies of a generation; there are two.
const MOST: usize = 2048;

/// What Redis calls the last change of anything that has a copy. No two have the same name.
pub type Change = [u8; 8];

/// That Redis had a copy when this was the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    pub change: Change,
    pub at: Instant,
}

/// What Redis knows a copy by, and when it had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The epoch that the copy was sealed in.
    pub epoch: u64,
    pub nonce: CopyNonce,
    pub seen: Sighting,
}

/// A copy.
pub struct Kept<T> {
    epoch: u64,
    nonce: CopyNonce,
    seen: Mutex<Sighting>,
    pub copy: T,
}

impl<T> Kept<T> {
    pub fn new(stamp: Stamp, copy: T) -> Self {
        let Stamp { epoch, nonce, seen } = stamp;
        Self { epoch, nonce, seen: Mutex::new(seen), copy }
    }

    pub fn stamp(&self) -> Stamp {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Stamp { epoch: self.epoch, nonce: self.nonce, seen }
    }

    /// Redis had it then too. Whichever sighting is the last to be noted is a true one.
    pub fn seen(&self, seen: Sighting) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// Copies of one kind of record, of one epoch.
pub struct Known<T>(RwLock<OfEpoch<T>>);

struct OfEpoch<T> {
    epoch: u64,
    copies: Generations<String, Arc<Kept<T>>>,
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
    pub fn get(&self, epoch: u64, place: &str) -> Option<Arc<Kept<T>>> {
        let of = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if of.epoch == epoch {
            return of.copies.get(place).cloned();
        }
        drop(of);
        self.begin(epoch);
        None
    }

    /// Keeps a copy, unless its epoch is over.
    pub fn keep(&self, place: String, copy: Kept<T>) {
        self.begin(copy.epoch);
        let mut of = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if of.epoch == copy.epoch {
            of.copies.keep(place, Arc::new(copy));
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
        let known = Known::default();
        let seen = Sighting { change: [2; 8], at: Instant::now() };
        let keep = || known.keep("user:1".to_owned(), Kept::new(Stamp { epoch: 3, nonce: [1; 12], seen }, 1));
        let get = |epoch, place| known.get(epoch, place).map(|kept| (kept.stamp().epoch, kept.copy));
        keep();
        assert_eq!(get(3, "user:1"), Some((3, 1)));
        assert_eq!(get(3, "user:2"), None);
        assert_eq!(get(4, "user:1"), None);
        assert!(known.0.read().unwrap().copies.get("user:1").is_none(), "it is let go of");
        keep();
        assert!(known.0.read().unwrap().copies.get("user:1").is_none(), "read in an epoch that is over");
        assert_eq!((get(3, "user:1"), get(4, "user:1")), (None, None));
    }
}
