//! Copies of sealed records that answer for the store, exactly: what was changed or ended is never answered again, with
//! Redis away, emptied, restarted, replaced by a replica that lags behind, or not the same for all instances.
//!
//! A copy is believed only while this is certain. The store names one *generation*, and the server at hand knows it: by a
//! key (gone with an emptied server) and by scripts that carry it in their text (gone with a restarted one). The store's
//! *epoch* is the copy's: who cannot take a copy back on the server of the generation advances it and waits until every
//! instance has looked. And an instance looks often, and believes nothing for longer than [`TRUST`] after a look.
//!
//! Who finds no copy takes a lease, reads the store, and fills only if the lease is still there. A change takes copy and
//! lease away, before and after.

mod caller_store;
mod copies;
mod copy;
mod filter;
mod known;
mod looks;
mod rate_limiter;
mod scripts;
mod server;
mod session_store;
mod user_filter;
mod user_store;
mod view;

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::bloom::Bloom;
use crate::redis::Redis;
use crate::redis::cache::known::Change;
use crate::redis::cache::looks::{LEASE, Lease, Looks, REVOKED, SEEN_LATELY};
use crate::redis::cache::server::Server;
use crate::redis::cache::view::{Looking, Views};

pub use caller_store::CachedCallers;
pub use copy::{CopyKey, CopyNonce};
pub use filter::{Members, SharedFilter};
pub use rate_limiter::FilteredLimiter;
pub use session_store::CachedSessions;
pub use user_filter::FilteredUsers;
pub use user_store::CachedUsers;

/// How long after a look at the epoch it is believed.
pub const TRUST: Duration = Duration::from_millis(300);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a copy lives, milliseconds.
const LIFE: u64 = 300_000;
/// How long nobody fills what was changed: a change that timed out may be made a little later.
const BURIED: u64 = 10_000;

/// What the store says of copies and filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Of copies of records.
    pub copies: u64,
    /// What they are sealed under; another one with every epoch.
    pub key: CopyKey,
    /// Of filters.
    pub filters: u64,
    /// What the server that has them knows itself by.
    pub generation: String,
    /// An instance without Redis has used this database: nobody believes copies.
    pub plain: bool,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// Copies of records.
    Copies,
    /// Filters.
    Filters,
}

/// A store that keeps the epoch.
#[async_trait]
pub trait Epochs: Send + Sync {
    /// The epoch, as the store knows it now.
    async fn current(&self) -> Result<Epoch, PortError>;

    /// Adds one, durably; of copies with another key.
    async fn advance(&self, which: Advance) -> Result<(), PortError>;

    /// A generation in the place of the one that was seen. Whether it is.
    async fn begin(&self, seen: &str, fresh: &str) -> Result<bool, PortError>;
}

/// Those who wait for an epoch to end: one advance serves all who came before it.
#[derive(Default)]
struct Waiting {
    asked: AtomicU64,
    served: Mutex<u64>,
}

/// The copies.
pub struct Cache {
    server: Arc<Server>,
    epochs: Arc<dyn Epochs>,
    revoked: Bloom,
    looks: Looks,
    waiting: [Waiting; 2],
    looking: AbortHandle,
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Cache {
    /// Copies in `redis` of what a store has that keeps the epoch.
    #[must_use]
    pub fn start(redis: Arc<Redis>, epochs: Arc<dyn Epochs>, randomness: Arc<dyn Randomness>) -> Arc<Self> {
        let views = Views::default();
        let looking = Looking {
            redis: redis.clone(),
            epochs: epochs.clone(),
            randomness: randomness.clone(),
            views: views.clone(),
        };
        let server = Arc::new(Server { redis, randomness, views });
        // a million sessions ended a day; past that it only saves less
        let revoked = Bloom::sized(1_000_000, 100);
        Arc::new(Self {
            looks: Looks::start(server.clone(), revoked),
            server,
            epochs,
            revoked,
            waiting: Default::default(),
            looking: tokio::spawn(looking.keep()).abort_handle(),
        })
    }

    /// Waits until copies are believed, for so long.
    pub async fn in_step(&self, at_most: Duration) -> bool {
        let seen = async {
            while self.server.views.now().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(at_most, seen).await.is_ok()
    }

    /// Looks that a copy answered, and those that went to the store.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, Arc<AtomicU64>); 2] {
        let Looks { hits, misses, .. } = &self.looks;
        [("portcullis_cache_hits_total", hits.clone()), ("portcullis_cache_misses_total", misses.clone())]
    }

    /// Keeps what the store said, if nothing was changed since the lease was taken.
    async fn fill(&self, lease: &Lease, copy: &[u8]) {
        let Lease { view, place, name } = lease;
        let sealed = copy::seal(&view.epoch.key, &view.header, place, self.server.random(), copy);
        let Some(sealed) = sealed else { return };
        let keys = [self.server.key(place)];
        let filled = self.server.ask_as::<i64>(
            view,
            |scripts| &scripts.fill,
            &keys,
            |question| {
                question.arg(name).arg(sealed).arg(LIFE);
            },
        );
        filled.await;
    }

    /// A change of the store, with the copies of what it changes taken away before and after. If they cannot be, the epoch
    /// is advanced: the answer waits until no instance believes them any more.
    async fn around<T>(
        &self,
        places: &[String],
        ended: &[[u8; 16]],
        change: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.bury(places, ended).await;
        let changed = change.await;
        if !self.bury(places, ended).await {
            self.distrust(Advance::Copies).await?;
        }
        changed
    }

    /// Whether the server of the generation has taken the copies away.
    async fn bury(&self, places: &[String], ended: &[[u8; 16]]) -> bool {
        let server = &self.server;
        let Some(view) = server.views.now() else { return false };
        let copies = places.iter().map(|place| server.key(place));
        let keys: Vec<String> = iter::once(server.last_change(&view)).chain(copies).collect();
        let bits: Vec<u8> = ended.iter().flat_map(|session| looks::bits(self.revoked, session)).collect();
        let buried = server.ask_as::<i64>(
            &view,
            |scripts| &scripts.bury,
            &keys,
            |question| {
                let change: Change = server.random();
                question.arg(&change).arg(BURIED).arg(server.key(REVOKED)).arg(bits);
            },
        );
        buried.await == Some(1)
    }

    /// Nobody believes what there is, once this answers.
    async fn distrust(&self, which: Advance) -> Result<(), PortError> {
        let [copies, filters] = &self.waiting;
        let waiting = match which {
            Advance::Copies => copies,
            Advance::Filters => filters,
        };
        let mine = waiting.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = waiting.served.lock().await;
        if *served >= mine {
            return Ok(());
        }
        let everyone = waiting.asked.load(Ordering::SeqCst);
        if let Err(error) = self.epochs.advance(which).await {
            self.owe(which);
            return Err(error);
        }
        tokio::time::sleep(TRUST + Duration::from_millis(20)).await;
        *served = everyone;
        Ok(())
    }

    /// The store did not take it now, though it may have taken the change before: until it does, again and again.
    fn owe(&self, which: Advance) {
        let epochs = self.epochs.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            // after that no copy from before is alive
            for _ in 0..=(LIFE + LEASE) / 1000 + SEEN_LATELY.as_secs() {
                ticks.tick().await;
                if epochs.advance(which).await.is_ok() {
                    return;
                }
            }
        });
    }
}
