//! Rate limits as numbers: how much at once, and how it refills.

use std::time::Duration;

use crate::model::realm::Realm;
use crate::model::sealed::Digest;

/// `burst` at once; one comes back every `period / burst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many at once, at least one.
    pub burst: u32,
    /// How long until an empty bucket is full.
    pub period: Duration,
}

impl Quota {
    /// `burst` a `period`.
    #[must_use]
    pub const fn new(burst: u32, period: Duration) -> Self {
        Self { burst, period }
    }

    /// How long one unit takes to come back.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.period / self.burst.max(1)
    }
}

/// The key of a bucket: an operation of a realm, and its caller (a digest: a bucket must not keep an address).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// The population.
    pub realm: Realm,
    /// The operation, e.g. `login`.
    pub operation: &'static str,
    /// Digest of the client's canonical address, or of another counted value.
    pub who: Digest,
}

/// The answer of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub allowed: bool,
    /// How many more could go on right now.
    pub remaining: u32,
    /// When one more would be allowed, if not now; zero when allowed.
    pub retry_after: Duration,
    /// When the bucket will be full again.
    pub reset_after: Duration,
}

/// The generic cell rate algorithm. `tat` is the theoretical arrival time the bucket keeps, in milliseconds since
/// the epoch (zero for a new bucket); the second value is the one to keep instead.
#[must_use]
pub fn gcra(tat: i64, now: i64, quota: &Quota) -> (Decision, i64) {
    let interval = i64::try_from(quota.interval().as_millis()).unwrap_or(i64::MAX).max(1);
    let tolerance = interval.saturating_mul(i64::from(quota.burst.max(1)));
    let base = tat.max(now);
    let next = base.saturating_add(interval);
    let allowed = next.saturating_sub(now) <= tolerance;
    let kept = if allowed { next } else { base };
    let room = tolerance.saturating_sub(kept.saturating_sub(now)).max(0) / interval;
    let decision = Decision {
        allowed,
        remaining: u32::try_from(room).unwrap_or(0),
        retry_after: if allowed {
            Duration::ZERO
        } else {
            positive(next.saturating_sub(now).saturating_sub(tolerance))
        },
        reset_after: positive(kept.saturating_sub(now)),
    };
    (decision, if allowed { next } else { tat })
}

fn positive(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOGIN: Quota = Quota::new(5, Duration::from_secs(60));

    #[test]
    fn the_burst_passes_and_the_next_waits_for_one_unit() {
        let mut tat = 0;
        let now = 1_000_000;
        for left in (0..5).rev() {
            let (decision, next) = gcra(tat, now, &LOGIN);
            assert!(decision.allowed);
            assert_eq!(decision.remaining, left);
            tat = next;
        }
        let (decision, kept) = gcra(tat, now, &LOGIN);
        assert!(!decision.allowed);
        assert_eq!(decision.retry_after, Duration::from_secs(12));
        assert_eq!(decision.reset_after, Duration::from_secs(60));
        assert_eq!(kept, tat);
        assert!(!gcra(tat, now + 11_999, &LOGIN).0.allowed);
        assert!(gcra(tat, now + 12_000, &LOGIN).0.allowed);
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_its_refill(
            gaps in proptest::collection::vec(0i64..40_000, 1..200),
            burst in 1u32..20,
            period in 1u64..600,
        ) {
            let quota = Quota::new(burst, Duration::from_secs(period));
            let (mut tat, mut now, mut passed) = (0, 1_000_000i64, 0i64);
            let start = now;
            for gap in gaps {
                now += gap;
                let (decision, next) = gcra(tat, now, &quota);
                tat = next;
                passed += i64::from(decision.allowed);
                let interval = i64::try_from(quota.interval().as_millis()).unwrap().max(1);
                prop_assert!(passed <= i64::from(burst) + (now - start) / interval);
                if !decision.allowed {
                    prop_assert!(gcra(tat, now + i64::try_from(decision.retry_after.as_millis()).unwrap(), &quota).0.allowed);
                }
            }
        }
    }
}
