//! [`RateLimiter`] that instances share: one round trip, decided by Redis in one step. Every instance counts for itself
//! too, so that an emptied Redis resets no limit; limits that must survive a restart are left to a store.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use portcullis_core::model::quota::{Bucket, Decision, Quota, gcra};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::rate_limiter::RateLimiter;
use redis::Script;

use crate::limits::{Buckets, interval, lasts};
use crate::redis::Redis;

/// Takes one by the generic cell rate algorithm, if there is one; answers with what the bucket held before.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local before = tonumber(redis.call('GET', KEYS[1]) or '0')
         local now, interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
         local after = math.max(before, now) + interval
         if after - now <= tolerance then
             redis.call('SET', KEYS[1], string.format('%d', after), 'PX', string.format('%d', after - now))
         end
         return string.format('%d', before)",
    )
});

/// Puts one back.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local before = tonumber(redis.call('GET', KEYS[1]) or '0')
         local now, after = tonumber(ARGV[1]), before - tonumber(ARGV[2])
         if after > now then
             redis.call('SET', KEYS[1], string.format('%d', after), 'PX', string.format('%d', after - now))
         else
             redis.call('DEL', KEYS[1])
         end
         return 0",
    )
});

/// Limits that instances share.
pub struct SharedLimiter {
    redis: Arc<Redis>,
    lasting: Arc<dyn RateLimiter>,
    own: Buckets,
    /// While Redis is away each instance admits half: there are others.
    alone: Buckets,
}

impl SharedLimiter {
    /// Limits on Redis; `lasting` has the buckets that must survive a restart.
    #[must_use]
    pub fn new(redis: Arc<Redis>, lasting: Arc<dyn RateLimiter>) -> Self {
        Self { redis, lasting, own: Buckets::default(), alone: Buckets::default() }
    }

    fn key(&self, bucket: &Bucket) -> String {
        let who = hex::encode(bucket.who.as_bytes());
        format!("{}{}:{}:{who}", self.redis.prefix, bucket.realm, bucket.operation)
    }
}

fn stricter(quota: &Quota) -> Quota {
    Quota::new(quota.burst.div_ceil(2), quota.period)
}

#[async_trait]
impl RateLimiter for SharedLimiter {
    async fn take(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<Decision, PortError> {
        if lasts(quota) {
            return self.lasting.take(bucket, quota, now).await;
        }
        let own = self.own.take(bucket, quota, now)?;
        if !own.allowed {
            return Ok(own);
        }
        let (key, interval) = (self.key(bucket), interval(quota));
        let tolerance = interval.saturating_mul(i64::from(quota.burst.max(1)));
        let question = async move |mut connection| {
            let mut take = TAKE.prepare_invoke();
            take.key(key).arg(now.as_millis()).arg(interval).arg(tolerance);
            take.invoke_async::<i64>(&mut connection).await
        };
        let Some(before) = self.redis.call(question).await else {
            return self.alone.take(bucket, &stricter(quota), now);
        };
        let (shared, _) = gcra(before, now.as_millis(), quota);
        if !shared.allowed {
            self.own.give_back(bucket, quota, now)?;
        }
        // the emptier of the two speaks
        Ok(if shared.allowed && own.remaining < shared.remaining { own } else { shared })
    }

    async fn is_exhausted(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<bool, PortError> {
        if lasts(quota) {
            return self.lasting.is_exhausted(bucket, quota, now).await;
        }
        let key = self.key(bucket);
        let question =
            async move |mut connection| redis::cmd("GET").arg(key).query_async::<Option<i64>>(&mut connection).await;
        let shared = match self.redis.call(question).await {
            Some(full_at) => !gcra(full_at.unwrap_or_default(), now.as_millis(), quota).0.allowed,
            None => self.alone.is_exhausted(bucket, &stricter(quota), now)?,
        };
        Ok(shared || self.own.is_exhausted(bucket, quota, now)?)
    }

    async fn give_back(&self, bucket: &Bucket, quota: &Quota, now: Timestamp) -> Result<(), PortError> {
        if lasts(quota) {
            return self.lasting.give_back(bucket, quota, now).await;
        }
        self.own.give_back(bucket, quota, now)?;
        let (key, interval) = (self.key(bucket), interval(quota));
        let question = async move |mut connection| {
            let mut give = GIVE_BACK.prepare_invoke();
            give.key(key).arg(now.as_millis()).arg(interval);
            give.invoke_async::<i64>(&mut connection).await
        };
        if self.redis.call(question).await.is_none() {
            self.alone.give_back(bucket, &stricter(quota), now)?;
        }
        Ok(())
    }
}
