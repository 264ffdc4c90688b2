//! A Bloom filter of what a store has, shared by all instances, built anew once a day and whenever Redis has forgotten it.
//! It may only say "certainly not", while it is certain; everything else the store decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::error::PortError;
use redis::Script;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::bloom::Bloom;
use crate::redis::cache::scripts::ADD;
use crate::redis::cache::{Advance, Cache, View, evalsha};

/// How often it is seen to.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Built anew after this long, seconds, for what was removed is in it still.
const DAY: i64 = 86_400;
/// Whoever was adding when a build began has been answered by the store after this long.
const GRACE: Duration = Duration::from_secs(3);
/// A build takes no longer; then another instance may begin.
const LOCK_SECONDS: u64 = 600;
/// Members sent at once.
const BATCH: usize = 500;
/// Room for at least so many.
const FEWEST: u64 = 10_000;
/// One stranger in so many is looked up in vain.
const ONE_IN: u32 = 100;

/// What a filter is of: a store that tells all it has, by digest.
#[async_trait]
pub trait Members: Send + Sync {
    /// How many there are, about.
    async fn count(&self) -> Result<u64, PortError>;

    /// Hands all of them over, in batches.
    async fn stream(&self, batch: usize, to: mpsc::Sender<Vec<Digest>>) -> Result<(), PortError>;
}

/// The filter.
pub struct SharedFilter {
    of: Arc<Of>,
    saved: Arc<AtomicU64>,
    building: AbortHandle,
}

impl Drop for SharedFilter {
    fn drop(&mut self) {
        self.building.abort();
    }
}

/// What the filter is of, and where it is.
struct Of {
    cache: Arc<Cache>,
    what: &'static str,
}

impl SharedFilter {
    /// A filter called `what` of `members`, kept in step by a task that ends with this.
    #[must_use]
    pub fn start(cache: Arc<Cache>, what: &'static str, members: Arc<dyn Members>) -> Self {
        let of = Arc::new(Of { cache, what });
        let building = tokio::spawn(keep_built(of.clone(), members)).abort_handle();
        Self { of, saved: Arc::default(), building }
    }

    /// Counts the looks at the store that it saved.
    #[must_use]
    pub fn saved(&self) -> Arc<AtomicU64> {
        self.saved.clone()
    }

    /// Adds, before the store does. Where it cannot be, everyone distrusts the filter.
    pub(super) async fn add(&self, member: &Digest) -> Result<(), PortError> {
        let pointers = vec![self.of.key("current"), self.of.key("building")];
        if !self.of.add(pointers, &[*member]).await {
            self.of.cache.distrust(Advance::Filters).await?;
        }
        Ok(())
    }

    /// Whether the store has certainly no such member.
    pub(super) async fn certainly_absent(&self, member: &Digest) -> bool {
        let Some(view) = self.of.cache.view() else { return false };
        let [start, step] = Bloom::seeds(member.as_bytes());
        let keys = [self.of.cache.key("generation"), self.of.key("of"), self.of.key("current")];
        let absent = self.of.cache.ask_as(async move |mut connection| {
            let mut question = evalsha(&view.scripts.absent, &keys.each_ref().map(String::as_str));
            question.arg(&*view.generation).arg(times(&view)).arg(hashes()).arg(start).arg(step);
            question.query_async::<i64>(&mut connection).await
        });
        let absent = absent.await == Some(1);
        self.saved.fetch_add(u64::from(absent), Ordering::Relaxed);
        absent
    }
}

/// Bits of a member, whatever the filter's size.
fn hashes() -> u32 {
    Bloom::sized(1, ONE_IN).hashes
}

/// The times a filter belongs to.
fn times(view: &View) -> String {
    format!("{}:{}", view.epoch.filters, view.generation)
}

async fn keep_built(of: Arc<Of>, members: Arc<dyn Members>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(view) = of.cache.view() else { continue };
        if of.is_current(&view).await {
            continue;
        }
        match of.build(&*members, view).await {
            Ok(true) => tracing::info!(filter = of.what, "a filter is built"),
            // another instance builds, or Redis forgot everything meanwhile
            Ok(false) => {}
            Err(error) => tracing::warn!(filter = of.what, "a filter could not be built: {error}"),
        }
    }
}

impl Of {
    fn key(&self, rest: &str) -> String {
        self.cache.key(&format!("{}:{rest}", self.what))
    }

    /// Adds to the filters that pointers name. Whether Redis was told.
    async fn add(&self, pointers: Vec<String>, members: &[Digest]) -> bool {
        let seeds: Vec<u64> = members.iter().flat_map(|member| Bloom::seeds(member.as_bytes())).collect();
        let told = self.cache.redis.ask(async move |mut connection| {
            let script = Script::new(ADD);
            let mut add = script.prepare_invoke();
            for pointer in pointers {
                add.key(pointer);
            }
            add.arg(hashes()).arg(seeds);
            add.invoke_async::<i64>(&mut connection).await
        });
        told.await.is_some()
    }

    async fn is_current(&self, view: &View) -> bool {
        let key = self.key("of");
        let question = async move |mut c| redis::cmd("GET").arg(key).query_async::<Option<String>>(&mut c).await;
        // with Redis away there is nothing to build in
        self.cache.redis.ask(question).await.is_none_or(|found| found == Some(times(view)))
    }

    async fn build(&self, members: &dyn Members, view: View) -> Result<bool, PortError> {
        let room = Bloom::sized(members.count().await?.saturating_mul(2).max(FEWEST), ONE_IN);
        // the size is a part of the name: whoever adds reads it there
        let name = self.key(&format!("{}:{}", times(&view), room.bits));
        if !self.begin(&name).await {
            return Ok(false);
        }
        let filled = self.fill(members).await;
        let done = matches!(filled, Ok(true)) && self.finish(&view, name).await;
        let lock = self.key("lock");
        let unlock = async move |mut c| redis::cmd("DEL").arg(lock).query_async::<i64>(&mut c).await;
        self.cache.redis.ask(unlock).await;
        filled.map(|_| done)
    }

    /// An empty filter that everyone adds to from now on, unless another instance has begun one.
    async fn begin(&self, name: &str) -> bool {
        let (lock, pointer, name) = (self.key("lock"), self.key("building"), name.to_owned());
        let begun = self.cache.redis.ask(async move |mut connection| {
            let mut take = redis::cmd("SET");
            take.arg(&lock).arg("").arg("NX").arg("EX").arg(LOCK_SECONDS);
            if take.query_async::<Option<String>>(&mut connection).await?.is_none() {
                return Ok(false);
            }
            let mut begin = redis::pipe();
            begin.atomic().del(&name).setbit(&name, 0, false).expire(&name, 2 * DAY).set(&pointer, &name);
            begin.query_async::<()>(&mut connection).await?;
            Ok(true)
        });
        begun.await == Some(true)
    }

    /// Everything the store has, into the filter that is being built. Whether all of it arrived.
    async fn fill(&self, members: &dyn Members) -> Result<bool, PortError> {
        tokio::time::sleep(GRACE).await;
        let (to, mut batches) = mpsc::channel::<Vec<Digest>>(2);
        let adding = async {
            let mut whole = true;
            while let Some(batch) = batches.recv().await {
                whole &= self.add(vec![self.key("building")], &batch).await;
            }
            whole
        };
        let (streamed, whole) = tokio::join!(members.stream(BATCH, to), adding);
        streamed.map(|()| whole)
    }

    async fn finish(&self, view: &View, name: String) -> bool {
        let keys = [self.cache.key("generation"), self.key("of"), self.key("current"), self.key("building")];
        let finished = self.cache.ask_as(async move |mut connection| {
            let mut question = evalsha(&view.scripts.finish, &keys.each_ref().map(String::as_str));
            question.arg(&*view.generation).arg(times(view)).arg(name).arg(DAY);
            question.query_async::<i64>(&mut connection).await
        });
        finished.await == Some(1)
    }
}
