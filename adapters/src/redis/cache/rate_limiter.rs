//! [`RateLimiter`] with a filter of whoever has taken from a bucket that lasts: of an address that has not failed for a
//! day, nobody looks up how often it has.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

use crate::limits::lasts;
use crate::redis::cache::SharedFilter;

/// Limits with a filter of the buckets that are not full.
pub struct FilteredLimiter {
    filter: SharedFilter,
    limiter: Arc<dyn RateLimiter>,
}

impl FilteredLimiter {
    /// `limiter`, with a filter in front.
    #[must_use]
    pub fn new(filter: SharedFilter, limiter: Arc<dyn RateLimiter>) -> Self {
        Self { filter, limiter }
    }
}

#[async_trait]
impl RateLimiter for FilteredLimiter {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let taken = self.limiter.take(bucket, quota, now);
        if lasts(quota) { self.filter.around(&bucket.who, taken).await } else { taken.await }
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        self.limiter.give_back(bucket, quota, now).await
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        if lasts(quota) && self.filter.certainly_absent(&bucket.who).await {
            return Ok(false);
        }
        self.limiter.is_exhausted(bucket, quota, now).await
    }
}
