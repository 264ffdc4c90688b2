//! A Bloom filter of what a store has, shared by all instances, built anew once a day and whenever Redis has forgotten it.
//! It may only say "certainly not", while it is certain; everything else the store decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::error::PortError;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::bloom::Bloom;
use crate::redis::cache::view::View;
use crate::redis::cache::{Advance, Cache};

/// How often it is seen to.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Built anew after this long, seconds, for what was removed is in it still.
const DAY: i64 = 86_400;
/// Whoever was adding when a build began has been answered by the store after this long.
const GRACE: Duration = Duration::from_secs(3);
/// Nobody begins a build sooner after another one; one that takes longer and was overtaken does not count.
const LOCK_SECONDS: u64 = 60;
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

    /// A change of the store that adds a member: the filter has it before, and again before the answer, for a filter may
    /// have been built in between. Where it cannot be added, everyone distrusts the filter.
    pub(super) async fn around<T>(
        &self,
        member: &Digest,
        change: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.add(member).await;
        let changed = change.await;
        if !self.add(member).await {
            self.of.cache.distrust(Advance::Filters).await?;
        }
        changed
    }

    async fn add(&self, member: &Digest) -> bool {
        let Some(view) = self.of.cache.server.views.now() else { return false };
        self.of.add(&view, &["current", "building"], &[*member]).await
    }

    /// Whether the store has certainly no such member.
    pub(super) async fn certainly_absent(&self, member: &Digest) -> bool {
        let Some(view) = self.of.cache.server.views.now() else { return false };
        let [start, step] = Bloom::seeds(member.as_bytes());
        let keys = [self.of.key("of"), self.of.key("current")];
        let absent = self.of.cache.server.ask_as::<i64>(
            &view,
            |scripts| &scripts.absent,
            &keys,
            |question| {
                question.arg(times(&view)).arg(hashes()).arg(start).arg(step);
            },
        );
        let absent = absent.await == Some(1);
        self.saved.fetch_add(u64::from(absent), Ordering::Relaxed);
        absent
    }
}

/// Bits of a member, whatever the filter's size.
fn hashes() -> u32 {
    Bloom::sized(1, ONE_IN).hashes
}

/// The times and the shape a filter belongs to.
fn times(view: &View) -> String {
    format!("{}:{}:{}", hashes(), view.epoch.filters, view.epoch.generation)
}

async fn keep_built(of: Arc<Of>, members: Arc<dyn Members>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(view) = of.cache.server.views.now() else { continue };
        if of.is_current(&view).await {
            continue;
        }
        match of.build(&*members, view).await {
            Ok(true) => tracing::debug!(filter = of.what, "a filter is built"),
            // another instance builds, or Redis forgot everything meanwhile
            Ok(false) => {}
            Err(error) => tracing::warn!(filter = of.what, "a filter could not be built: {error}"),
        }
    }
}

impl Of {
    fn key(&self, rest: &str) -> String {
        self.cache.server.key(&format!("{}:{rest}", self.what))
    }

    /// Adds to the filters that pointers name. Whether the server of the generation was told.
    async fn add(&self, view: &View, pointers: &[&str], members: &[Digest]) -> bool {
        let seeds: Vec<u64> = members.iter().flat_map(|member| Bloom::seeds(member.as_bytes())).collect();
        let keys: Vec<String> = pointers.iter().map(|pointer| self.key(pointer)).collect();
        let told = self.cache.server.ask_as::<i64>(
            view,
            |scripts| &scripts.add,
            &keys,
            |question| {
                question.arg(hashes()).arg(seeds);
            },
        );
        told.await == Some(1)
    }

    async fn is_current(&self, view: &View) -> bool {
        let key = self.key("of");
        let question = async move |mut c| redis::cmd("GET").arg(key).query_async::<Option<String>>(&mut c).await;
        // with Redis away there is nothing to build in
        self.cache.server.redis.ask(question).await.is_none_or(|found| found == Some(times(view)))
    }

    /// Whether it is built. Of all instances one builds; the lock runs out by itself, so that trouble does not have
    /// everything read again and again.
    async fn build(&self, members: &dyn Members, view: Arc<View>) -> Result<bool, PortError> {
        let room = Bloom::sized(members.count().await?.saturating_mul(2).max(FEWEST), ONE_IN);
        // a name of its own; the size is a part of it: whoever adds reads it there
        let nonce = u128::from_be_bytes(self.cache.server.random());
        let name = self.key(&format!("{nonce:032x}:{}", room.bits));
        let keys = ["of", "building", "lock"].map(|key| self.key(key));
        let begun = self.cache.server.ask_as::<i64>(
            &view,
            |scripts| &scripts.begin,
            &keys,
            |question| {
                question.arg(times(&view)).arg(&name).arg(LOCK_SECONDS);
            },
        );
        if begun.await != Some(1) || !self.fill(members, &view).await? {
            return Ok(false);
        }
        let keys = ["of", "current", "building"].map(|key| self.key(key));
        let finished = self.cache.server.ask_as::<i64>(
            &view,
            |scripts| &scripts.finish,
            &keys,
            |question| {
                question.arg(times(&view)).arg(name).arg(DAY);
            },
        );
        Ok(finished.await == Some(1))
    }

    /// Everything the store has, into the filter that is being built. Whether all of it arrived.
    async fn fill(&self, members: &dyn Members, view: &View) -> Result<bool, PortError> {
        tokio::time::sleep(GRACE).await;
        let (to, mut batches) = mpsc::channel::<Vec<Digest>>(2);
        let adding = async move {
            while let Some(batch) = batches.recv().await {
                if !self.add(view, &["building"], &batch).await {
                    // whoever streams finds nobody listening, and stops
                    return false;
                }
            }
            true
        };
        let (streamed, whole) = tokio::join!(members.stream(BATCH, to), adding);
        streamed.map(|()| whole)
    }
}
