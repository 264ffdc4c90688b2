//! Token buckets in memory. Their number is bounded, for any number of callers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;

const PORT: &str = "rate_limiter";
/// Shards with a lock each, so that threads rarely wait for each other.
const SHARDS: usize = 64;
/// The maximum number of buckets in a shard: about a million in all shards.
const CAPACITY: usize = 1 << 14;
/// A shard with fewer buckets is not searched for full ones.
const MAKE_ROOM_MIN: usize = 1 << 8;
/// Buckets of quotas with at least this period and at most one unit per minute survive a restart. For other quotas, a
/// write per request would cost more than the limited operation.
const PERSIST_FROM: Duration = Duration::from_hours(1);

/// In-memory token buckets. Each is the time when it is full again, in milliseconds since the Unix epoch. A full bucket
/// is not stored.
pub struct Buckets {
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    full_at: HashMap<Bucket, i64>,
    /// The size at which full buckets are removed.
    make_room_at: usize,
}

impl Shard {
    /// Removes full buckets. If the shard is still at its capacity, also removes the half that is nearest to full. The
    /// removed ones count as full again: an attacker with a million addresses resets at most half of the limits.
    fn make_room(&mut self, now: i64) {
        self.full_at.retain(|_, at| *at > now);
        if self.full_at.len() >= CAPACITY {
            let mut times: Vec<i64> = self.full_at.values().copied().collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let mut to_remove = middle;
            self.full_at.retain(|_, at| {
                let is_removed = *at <= *median && to_remove > 0;
                to_remove -= usize::from(is_removed);
                !is_removed
            });
        }
        self.make_room_at = (self.full_at.len() * 2).clamp(MAKE_ROOM_MIN, CAPACITY);
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Buckets {
    /// Takes one unit, if there is one.
    ///
    /// # Errors
    /// Never in practice.
    pub fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let now = now.as_millis();
        self.change(bucket, now, |full_at| gcra(full_at, now, quota))
    }

    /// Whether no unit is left.
    ///
    /// # Errors
    /// Never in practice.
    pub fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        let now = now.as_millis();
        self.change(bucket, now, |full_at| (!gcra(full_at, now, quota).0.allowed, full_at))
    }

    /// Returns one unit.
    ///
    /// # Errors
    /// Never in practice.
    pub fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        self.change(bucket, now.as_millis(), |full_at| ((), full_at.saturating_sub(interval(quota))))
    }

    /// Passes the time when a bucket is full (0 if it is not stored) to `change`, and stores the time that it returns.
    fn change<T>(&self, bucket: &Bucket, now: i64, change: impl FnOnce(i64) -> (T, i64)) -> Result<T, PortError> {
        let number = usize::try_from(self.hasher.hash_one(bucket) % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(number).ok_or_else(|| PortError::new(PORT, "there is no such shard"))?;
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = shard.full_at.get(bucket).copied();
        let (result, full_at) = change(stored.unwrap_or(0));
        if full_at <= now {
            shard.full_at.remove(bucket);
            return Ok(result);
        }
        if stored.is_none() && shard.full_at.len() >= shard.make_room_at {
            shard.make_room(now);
        }
        shard.full_at.insert(bucket.clone(), full_at);
        Ok(result)
    }
}

/// The time in which one unit comes back, in milliseconds: at least 1.
#[must_use]
pub fn interval(quota: &Quota) -> i64 {
    i64::try_from(quota.interval().as_millis()).unwrap_or(i64::MAX).max(1)
}

/// Whether the buckets of a quota survive a restart.
#[must_use]
pub fn lasts(quota: &Quota) -> bool {
    quota.period >= PERSIST_FROM && quota.interval() >= Duration::from_mins(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_testkit::samples::{digest, realm};

    fn bucket(n: u64) -> Bucket {
        Bucket { realm: realm("User1"), operation: "login", who: digest("address", n) }
    }

    #[test]
    fn a_flood_of_addresses_stays_within_bounds() {
        let mut shard = Shard::default();
        for n in 0..CAPACITY as u64 {
            shard.full_at.insert(bucket(n), 1000 + i64::try_from(n).unwrap());
        }
        shard.make_room(0);
        assert_eq!(shard.full_at.len(), CAPACITY / 2);
        assert!(shard.full_at.contains_key(&bucket(CAPACITY as u64 - 1)), "the emptiest buckets stay");
        shard.make_room(i64::MAX);
        assert!(shard.full_at.is_empty());
        // all are full at the same time
        for n in 0..CAPACITY as u64 {
            shard.full_at.insert(bucket(n), 1000);
        }
        shard.make_room(0);
        assert_eq!(shard.full_at.len(), CAPACITY / 2);
    }

    #[test]
    fn full_buckets_are_removed() {
        let buckets = Buckets::default();
        for n in 0..100_000 {
            let now = i64::try_from(n).unwrap() * 10;
            buckets.change(&bucket(n), now, |_| ((), now + 100)).unwrap();
        }
        let kept: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum();
        assert!(kept <= SHARDS * MAKE_ROOM_MIN, "{kept}");
    }
}
