//! [`RateLimiter`]: buckets in memory, and those that take an hour or more to fill in the database too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::embedded::Embedded;

const PORT: &str = "rate_limiter";
/// Buckets in memory; when there are this many, full ones are swept.
const MOST: usize = 1 << 20;
/// Quotas over at least this long, and slower than one a minute, survive a restart: a write for each of the others
/// would cost more than what it limits.
const LASTING: Duration = Duration::from_secs(3600);

/// When each bucket will be full again, milliseconds since the epoch. A bucket that is full need not be kept.
#[derive(Default)]
pub struct Buckets {
    full_at: Mutex<HashMap<Bucket, i64>>,
}

impl Buckets {
    fn change<T>(&self, bucket: &Bucket, now: i64, change: impl FnOnce(i64) -> (T, i64)) -> T {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MOST {
            full_at.retain(|_, at| *at > now);
        }
        let (answer, at) = change(full_at.get(bucket).copied().unwrap_or(0));
        full_at.insert(bucket.clone(), at);
        answer
    }
}

fn stored(db: &Connection, bucket: &Bucket) -> rusqlite::Result<i64> {
    let sql = "SELECT full_at FROM buckets WHERE realm = ?1 AND operation = ?2 AND who = ?3";
    let which = params![bucket.realm.as_str(), bucket.operation, bucket.who.as_bytes()];
    Ok(db.prepare_cached(sql)?.query_row(which, |row| row.get(0)).optional()?.unwrap_or(0))
}

fn store(db: &Connection, bucket: &Bucket, full_at: i64, now: i64) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO buckets (realm, operation, who, full_at) VALUES (?1, ?2, ?3, ?4)";
    let which = params![bucket.realm.as_str(), bucket.operation, bucket.who.as_bytes(), full_at];
    db.prepare_cached(sql)?.execute(which)?;
    // what is full again is as good as absent
    db.prepare_cached("DELETE FROM buckets WHERE full_at <= ?1")?.execute([now]).map(|_| ())
}

fn interval(quota: &Quota) -> i64 {
    i64::try_from(quota.interval().as_millis()).unwrap_or(i64::MAX)
}

#[async_trait]
impl RateLimiter for Embedded {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        let (now, quota) = (now.as_millis(), *quota);
        if quota.period < LASTING || quota.interval() < Duration::from_secs(60) {
            return Ok(self.buckets.change(bucket, now, |full_at| gcra(full_at, now, &quota)));
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

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        let (now, quota) = (now.as_millis(), *quota);
        if quota.period < LASTING || quota.interval() < Duration::from_secs(60) {
            self.buckets.change(bucket, now, |full_at| ((), full_at.saturating_sub(interval(&quota))));
            return Ok(());
        }
        let bucket = bucket.clone();
        let write = move |db: &Connection| {
            let full_at = stored(db, &bucket)?.saturating_sub(interval(&quota));
            store(db, &bucket, full_at, now)
        };
        self.writer.write(PORT, write).await
    }
}
