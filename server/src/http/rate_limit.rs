//! The rate limit of an endpoint: one bucket per realm, limit and client network, account or service client.

use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_core::model::quota::{Bucket, Decision, Quota};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;

use crate::http::app::App;
use crate::http::error::seconds_up;
use crate::http::problem::Problem;

/// The limiter's decision about a request.
pub struct RateLimit {
    bucket: Bucket,
    quota: Quota,
    /// The decision.
    pub decision: Decision,
}

/// Limits of one request a day for an account. A failed request is given back.
#[must_use]
pub fn is_daily_quota(name: &str) -> bool {
    name == "export" || name == "delete"
}

impl RateLimit {
    /// Takes one request from the bucket of a network, an account or a service client; `None` if the operator switched limits off.
    ///
    /// # Errors
    /// `unavailable` if the limiter fails.
    pub async fn take(app: &App, realm: &Realm, name: &'static str, who: Digest) -> Result<Option<Self>, Problem> {
        let bucket = Bucket { realm: realm.clone(), operation: name, who };
        let quota = (app.quotas)(name);
        let decision = app.service.take(&bucket, &quota).await?;
        Ok(decision.map(|decision| Self { bucket, quota, decision }))
    }

    /// Gives the request back if it was the only one of the day.
    pub async fn refund_on_error(&self, app: &App) {
        if is_daily_quota(self.bucket.operation)
            && let Err(error) = app.service.give_back(&self.bucket, &self.quota).await
        {
            tracing::warn!("a rate limit could not be refunded: {error}");
        }
    }

    /// Writes `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let (name, decision) = (self.bucket.operation, &self.decision);
        let policy = format!("\"{name}\";q={};w={}", self.quota.burst, seconds_up(self.quota.period));
        let state = format!("\"{name}\";r={};t={}", decision.remaining, seconds_up(decision.reset_after));
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
