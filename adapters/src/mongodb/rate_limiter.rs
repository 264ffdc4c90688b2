//! [`RateLimiter`] on MongoDB, one document for each bucket. It is for buckets that must survive a restart; the others are in
//! memory or in Redis.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::stored_record::StoredBucket;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;

use crate::crypto::record_macs::RecordMacs;
use crate::job_text::hex;
use crate::limits::interval;
use crate::mongodb::MongoDb;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::{Fields, key, signed_document};

const PORT: &str = "rate_limiter";
const COLLECTION: &str = "buckets";

fn id(bucket: &Bucket) -> String {
    key(&bucket.realm, format_args!("{}/{}", bucket.operation, hex(&bucket.who)))
}

/// A bucket's document, without its `_id`.
pub fn print(macs: &RecordMacs, bucket: &StoredBucket) -> Document {
    signed_document(macs, bucket, doc! {"full_at": bucket.full_at})
}

fn stored(bucket: &Bucket, full_at: i64) -> StoredBucket {
    let Bucket { realm, operation, who } = bucket;
    StoredBucket { realm: realm.clone(), operation: operation.to_string(), who: *who, full_at }
}

impl MongoDb {
    fn full_at(&self, bucket: &Bucket, found: Option<&Document>) -> Result<i64, PortError> {
        let Some(found) = found else { return Ok(0) };
        let fields = Fields::of(PORT, found);
        let found = fields.with_mac(stored(bucket, fields.integer("full_at")?))?;
        Ok(self.verify(PORT, found)?.full_at)
    }

    fn with<T>(&self, bucket: &Bucket, full_at: i64, now: Timestamp, answer: T) -> CasStep<T> {
        // a full bucket needs no document
        if full_at <= now.as_millis() {
            CasStep::Remove(answer)
        } else {
            CasStep::Replace(print(&self.macs, &stored(bucket, full_at)), answer)
        }
    }
}

#[async_trait]
impl RateLimiter for MongoDb {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let change = |found: Option<&Document>| {
            let (decision, kept) = gcra(self.full_at(bucket, found)?, now.as_millis(), quota);
            Ok(if decision.allowed { self.with(bucket, kept, now, decision) } else { CasStep::Keep(decision) })
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
        Ok(!gcra(self.full_at(bucket, found.as_ref())?, now.as_millis(), quota).0.allowed)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        let change = |found: Option<&Document>| {
            let full_at = self.full_at(bucket, found)?.saturating_sub(interval(quota));
            Ok(self.with(bucket, full_at, now, ()))
        };
        self.compare_and_swap(PORT, COLLECTION, &id(bucket), change).await
    }
}
