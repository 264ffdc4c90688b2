//! [`RateLimiter`]: buckets in memory, and those that take an hour or more to fill in the database too.

use crate::sqlite::rows::Columns;
use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::stored_record::StoredBucket;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;
use rusqlite::Row;
use rusqlite::params;

use crate::crypto::record_macs::Stored;
use crate::limits::{interval, lasts};
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;

const PORT: &str = "rate_limiter";
pub const COLUMNS: &str = "realm, operation, who, full_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<StoredBucket>> {
    let mut columns = Columns::of(row);
    let (realm, operation) = (columns.realm()?, columns.value()?);
    let bucket = StoredBucket { realm, operation, who: columns.digest()?, full_at: columns.value()? };
    columns.with_mac(bucket)
}

/// Stores a bucket in the place of the one of its name.
pub fn put(db: &Db, bucket: &StoredBucket) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO buckets ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
    let StoredBucket { realm, operation, who, full_at } = bucket;
    let all = params![realm.as_str(), operation, who.as_bytes(), full_at, db.sign(bucket)];
    db.prepare_cached(&sql)?.execute(all).map(|_| ())
}

fn full_at(db: &Db, bucket: &Bucket) -> rusqlite::Result<i64> {
    let sql = format!("SELECT {COLUMNS} FROM buckets WHERE realm = ?1 AND operation = ?2 AND who = ?3");
    let which = params![bucket.realm.as_str(), bucket.operation, bucket.who.as_bytes()];
    let found = db.find_named(&sql, which, read, |found: &StoredBucket| {
        found.realm == bucket.realm && found.operation == bucket.operation && found.who == bucket.who
    })?;
    Ok(found.map_or(0, |found| found.full_at))
}

fn store(db: &Db, bucket: &Bucket, full_at: i64, now: i64) -> rusqlite::Result<()> {
    let Bucket { realm, operation, who } = bucket;
    let operation = operation.to_string();
    put(db, &StoredBucket { realm: realm.clone(), operation, who: *who, full_at })?;
    // a full bucket needs no row; a few are removed at a time
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
        let (seen, _) = gcra(self.readers.read(PORT, |db| full_at(db, bucket))?, now, &quota);
        if !seen.allowed {
            return Ok(seen);
        }
        let bucket = bucket.clone();
        let write = move |db: &Db| {
            let (decision, full_at) = gcra(full_at(db, &bucket)?, now, &quota);
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
        let full_at = self.readers.read(PORT, |db| full_at(db, bucket))?;
        Ok(!gcra(full_at, now.as_millis(), quota).0.allowed)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        let (now, quota) = (now.as_millis(), *quota);
        if !lasts(&quota) {
            return self.buckets.give_back(bucket, &quota, Timestamp::from_millis(now));
        }
        let bucket = bucket.clone();
        let write = move |db: &Db| {
            let full_at = full_at(db, &bucket)?.saturating_sub(interval(&quota));
            store(db, &bucket, full_at, now)
        };
        self.writer.write(PORT, write).await
    }
}
