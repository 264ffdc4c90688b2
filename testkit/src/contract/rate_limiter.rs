//! Contract cases of the rate limiter.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::samples::{NOW, digest, realm};
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

type Limiter = Setup<dyn RateLimiter>;

const MILLI: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Short buckets may live in memory, long ones must not: both are tried.
const QUOTAS: [Quota; 2] = [Quota::new(5, MINUTE), Quota::new(3, Duration::from_hours(24))];

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn RateLimiter>> {
    cases![
        gives_the_burst_and_no_more,
        answers_as_the_algorithm_says,
        refills_evenly,
        is_full_again_after_a_period,
        a_refusal_takes_nothing,
        tells_whether_any_is_left_and_takes_none,
        buckets_are_separate,
        takes_back_what_was_taken_for_nothing,
        never_holds_more_than_the_burst,
        a_racing_crowd_gets_the_burst_and_no_more,
    ]
}

fn bucket(n: u64) -> Bucket {
    Bucket { realm: realm("User1"), operation: "login", who: digest("address", n) }
}

async fn tells_whether_any_is_left_and_takes_none(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        for _ in 0..2 * quota.burst {
            assert!(!limiter.is_exhausted(&bucket(n), &quota, NOW).await?);
        }
        assert_eq!(drain(limiter, &bucket(n), &quota, NOW).await?, quota.burst);
        assert!(limiter.is_exhausted(&bucket(n), &quota, NOW).await?);
        assert!(!limiter.is_exhausted(&bucket(n + 10), &quota, NOW).await?);
        assert!(limiter.is_exhausted(&bucket(n), &quota, NOW + quota.interval() - MILLI).await?);
        assert!(!limiter.is_exhausted(&bucket(n), &quota, NOW + quota.interval()).await?);
    }
    Ok(())
}

/// Takes until refused; how many there were.
async fn drain(limiter: &Limiter, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<u32, PortError> {
    let mut taken = 0;
    while limiter.take(bucket, quota, now).await?.allowed {
        taken += 1;
        assert!(taken <= quota.burst, "more than the burst");
    }
    Ok(taken)
}

async fn gives_the_burst_and_no_more(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        for left in (0..quota.burst).rev() {
            let decision = limiter.take(&bucket(n), &quota, NOW).await?;
            let retry_after = Duration::ZERO;
            let reset_after = quota.interval() * (quota.burst - left);
            assert_eq!(decision, Decision { allowed: true, remaining: left, retry_after, reset_after });
        }
        let refused = limiter.take(&bucket(n), &quota, NOW).await?;
        let (retry_after, reset_after) = (quota.interval(), quota.period);
        assert_eq!(refused, Decision { allowed: false, remaining: 0, retry_after, reset_after });
    }
    Ok(())
}

async fn answers_as_the_algorithm_says(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        let (mut kept, mut now) = (0, NOW);
        for step in 0..40 {
            now = now + quota.interval() / 7 * (step % 5);
            let (expected, next) = gcra(kept, now.as_millis(), &quota);
            kept = next;
            assert_eq!(limiter.take(&bucket(n), &quota, now).await?, expected, "step {step}");
        }
    }
    Ok(())
}

async fn refills_evenly(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        drain(limiter, &bucket(n), &quota, NOW).await?;
        let one_more = NOW + quota.interval();
        assert!(!limiter.take(&bucket(n), &quota, one_more - MILLI).await?.allowed);
        assert!(limiter.take(&bucket(n), &quota, one_more).await?.allowed);
        assert!(!limiter.take(&bucket(n), &quota, one_more).await?.allowed);
        assert_eq!(drain(limiter, &bucket(n), &quota, one_more + quota.interval() * 2).await?, 2);
    }
    Ok(())
}

async fn is_full_again_after_a_period(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        assert_eq!(drain(limiter, &bucket(n), &quota, NOW).await?, quota.burst);
        assert_eq!(drain(limiter, &bucket(n), &quota, NOW + quota.period).await?, quota.burst);
        assert_eq!(drain(limiter, &bucket(n), &quota, NOW + quota.period * 9).await?, quota.burst, "more than full");
    }
    Ok(())
}

async fn a_refusal_takes_nothing(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        drain(limiter, &bucket(n), &quota, NOW).await?;
        for _ in 0..50 {
            assert!(!limiter.take(&bucket(n), &quota, NOW).await?.allowed);
        }
        assert!(limiter.take(&bucket(n), &quota, NOW + quota.interval()).await?.allowed);
    }
    Ok(())
}

async fn buckets_are_separate(limiter: &Limiter) -> Outcome {
    for quota in QUOTAS {
        let mine = Bucket { operation: if quota.burst == 5 { "login" } else { "export" }, ..bucket(1) };
        drain(limiter, &mine, &quota, NOW).await?;
        let others = [
            Bucket { realm: realm("User2"), ..mine.clone() },
            Bucket { operation: "create", ..mine.clone() },
            Bucket { who: digest("address", 2), ..mine.clone() },
        ];
        for other in others {
            assert!(limiter.take(&other, &quota, NOW).await?.allowed, "{other:?}");
        }
        assert!(!limiter.take(&mine, &quota, NOW).await?.allowed);
    }
    Ok(())
}

async fn takes_back_what_was_taken_for_nothing(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        drain(limiter, &bucket(n), &quota, NOW).await?;
        limiter.give_back(&bucket(n), &quota, NOW).await?;
        assert!(limiter.take(&bucket(n), &quota, NOW).await?.allowed);
        assert!(!limiter.take(&bucket(n), &quota, NOW).await?.allowed);
    }
    Ok(())
}

async fn never_holds_more_than_the_burst(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        limiter.give_back(&bucket(n), &quota, NOW).await?;
        limiter.take(&bucket(n), &quota, NOW).await?;
        for _ in 0..20 {
            limiter.give_back(&bucket(n), &quota, NOW).await?;
        }
        assert_eq!(drain(limiter, &bucket(n), &quota, NOW).await?, quota.burst);
    }
    Ok(())
}

async fn a_racing_crowd_gets_the_burst_and_no_more(limiter: &Limiter) -> Outcome {
    for (n, quota) in (0..).zip(QUOTAS) {
        let take = |limiter: std::sync::Arc<dyn RateLimiter>, _| async move {
            Ok(limiter.take(&bucket(n), &quota, NOW).await?.allowed)
        };
        assert_eq!(super::count(&limiter.race(50, take).await?, &true) as u64, u64::from(quota.burst));
    }
    Ok(())
}
