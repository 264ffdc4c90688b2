//! Buckets in a map.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

/// Keeps buckets as long as it lives.
#[derive(Debug)]
pub struct FakeRateLimiter {
    pub(crate) arrivals: Locked<HashMap<Bucket, i64>>,
    faults: Faults,
}

impl FakeRateLimiter {
    /// A limiter whose buckets are full and which breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { arrivals: Locked::default(), faults: Faults::new("rate_limiter", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Default for FakeRateLimiter {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl RateLimiter for FakeRateLimiter {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        self.faults.call("take", || {
            let mut arrivals = self.arrivals.lock();
            let arrival = arrivals.entry(bucket.clone()).or_default();
            let (decision, next) = gcra(*arrival, now.as_millis(), quota);
            *arrival = next;
            decision
        })
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        self.faults.call("is_exhausted", || {
            let arrival = self.arrivals.lock().get(bucket).copied().unwrap_or_default();
            !gcra(arrival, now.as_millis(), quota).0.allowed
        })
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, _now: Timestamp) -> Result<(), PortError> {
        self.faults.call("give_back", || {
            if let Some(arrival) = self.arrivals.lock().get_mut(bucket) {
                let interval = i64::try_from(quota.interval().as_millis()).unwrap_or(i64::MAX).max(1);
                *arrival = arrival.saturating_sub(interval);
            }
        })
    }
}
