//! [`RateLimiter`] on MongoDB: every bucket a document. For those that must survive a restart; the others are quicker
//! elsewhere.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

use crate::job_text::hex;
use crate::limits::interval;
use crate::mongodb::MongoDb;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::key;

const PORT: &str = "rate_limiter";
const COLLECTION: &str = "buckets";

fn id(bucket: &Bucket) -> String {
    key(&bucket.realm, format_args!("{}/{}", bucket.operation, hex(&bucket.who)))
}

fn full_at(found: Option<&Document>) -> i64 {
    found.and_then(|found| found.get_i64("full_at").ok()).unwrap_or_default()
}

fn with<T>(full_at: i64, now: Timestamp, answer: T) -> CasStep<T> {
    // what is full again is as good as absent
    if full_at <= now.as_millis() {
        CasStep::Remove(answer)
    } else {
        CasStep::Replace(doc! {"full_at": full_at}, answer)
    }
}

#[async_trait]
impl RateLimiter for MongoDb {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let change = |found: Option<&Document>| {
            let (decision, kept) = gcra(full_at(found), now.as_millis(), quota);
            Ok(if decision.allowed { with(kept, now, decision) } else { CasStep::Keep(decision) })
        };
        let decision = self.compare_and_swap(PORT, COLLECTION, &id(bucket), change).await?;
        if decision.allowed {
            let full = doc! {"full_at": {"$lte": now.as_millis()}};
            self.run(PORT, self.collection(COLLECTION).delete_one(full)).await?;
        }
        Ok(decision)
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(doc! {"_id": id(bucket)})).await?;
        Ok(!gcra(full_at(found.as_ref()), now.as_millis(), quota).0.allowed)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        let change = |found: Option<&Document>| Ok(with(full_at(found).saturating_sub(interval(quota)), now, ()));
        self.compare_and_swap(PORT, COLLECTION, &id(bucket), change).await
    }
}
