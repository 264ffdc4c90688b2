//! [`RateLimiter`]: buckets in memory, and those that take an hour or more to fill in the database too.

use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::limits::{interval, lasts};
use crate::sqlite::Sqlite;

const PORT: &str = "rate_limiter";
fn stored(db: &Connection, bucket: &Bucket) -> rusqlite::Result<i64> {
    let sql = "SELECT full_at FROM buckets WHERE realm = ?1 AND operation = ?2 AND who = ?3";
    let which = params![bucket.realm.as_str(), bucket.operation, bucket.who.as_bytes()];
    Ok(db.prepare_cached(sql)?.query_row(which, |row| row.get(0)).optional()?.unwrap_or(0))
}

fn store(db: &Connection, bucket: &Bucket, full_at: i64, now: i64) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO buckets (realm, operation, who, full_at) VALUES (?1, ?2, ?3, ?4)";
    let which = params![bucket.realm.as_str(), bucket.operation, bucket.who.as_bytes(), full_at];
    db.prepare_cached(sql)?.execute(which)?;
    // what is full again is as good as absent; a few at a time
    let sql = "DELETE FROM buckets WHERE (realm, operation, who) IN \
               (SELECT realm, operation, who FROM buckets WHERE full_at <= ?1 LIMIT 8)";
    db.prepare_cached(sql)?.execute([now]).map(|_| ())
}

#[async_trait]
impl RateLimiter for Sqlite {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let (now, quota) = (now.as_millis(), *quota);
        if !lasts(&quota) {
            return self.buckets.take(bucket, &quota, Timestamp::from_millis(now));
        }
        // read first: refused requests must not load the writer
        let (seen, _) = gcra(self.readers.read(PORT, |db| stored(db, bucket))?, now, &quota);
        if !seen.allowed {
            return Ok(seen);
        }
        let bucket = bucket.clone();
        let write = move |db: &Connection| {
            let (decision, full_at) = gcra(stored(db, &bucket)?, now, &quota);
            if decision.allowed {
                store(db, &bucket, full_at, now)?;
            }
            Ok(decision)
        };
        self.writer.write(PORT, write).await
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        if !lasts(quota) {
            return self.buckets.is_exhausted(bucket, quota, now);
        }
        let full_at = self.readers.read(PORT, |db| stored(db, bucket))?;
        Ok(!gcra(full_at, now.as_millis(), quota).0.allowed)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        let (now, quota) = (now.as_millis(), *quota);
        if !lasts(&quota) {
            return self.buckets.give_back(bucket, &quota, Timestamp::from_millis(now));
        }
        let bucket = bucket.clone();
        let write = move |db: &Connection| {
            let full_at = stored(db, &bucket)?.saturating_sub(interval(&quota));
            store(db, &bucket, full_at, now)
        };
        self.writer.write(PORT, write).await
    }
}
