//! A rate limiter in memory, written from Portcullis's documentation only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

/// The theoretical arrival time of each bucket. A call holds the lock to its end: that is all the atomicity that the
/// contract asks for.
#[derive(Debug, Default)]
pub struct MyLimiter(Mutex<HashMap<Bucket, i64>>);

impl MyLimiter {
    fn lock(&self) -> MutexGuard<'_, HashMap<Bucket, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RateLimiter for MyLimiter {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let mut arrivals = self.lock();
        let arrival = arrivals.entry(bucket.clone()).or_default();
        let (decision, next) = gcra(*arrival, now.as_millis(), quota);
        *arrival = next;
        Ok(decision)
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        let arrival = self.lock().get(bucket).copied().unwrap_or_default();
        Ok(!gcra(arrival, now.as_millis(), quota).0.allowed)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, _now: Timestamp) -> Result<(), PortError> {
        if let Some(arrival) = self.lock().get_mut(bucket) {
            let interval = i64::try_from(quota.interval().as_millis()).unwrap_or(i64::MAX).max(1);
            *arrival = arrival.saturating_sub(interval);
        }
        Ok(())
    }
}
