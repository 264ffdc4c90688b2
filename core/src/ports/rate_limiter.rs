//! Rate limits.

use async_trait::async_trait;

use crate::model::quota::{Bucket, Decision, Quota};
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// Buckets that refill evenly (see [`crate::model::quota::gcra`]). Buckets over an hour or more that give
/// back less than one a minute survive a restart.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes one, if there is one, in one atomic step.
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError>;

    /// Whether there is none left, without taking one.
    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError>;

    /// Puts one back that was taken for nothing.
    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError>;
}
