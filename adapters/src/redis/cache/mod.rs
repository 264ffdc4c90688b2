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
mod copy;
mod filter;
mod known;
mod rate_limiter;
mod scripts;
mod session_store;
mod user_filter;
mod user_store;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;
use redis::aio::ConnectionManager;
use redis::{RedisError, Script, Value};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::bloom::Bloom;
use crate::redis::Redis;
use crate::redis::cache::known::{Known, Stamp};
use crate::redis::cache::view::{Looking, View, Views};

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
/// How long a lease does: longer than an answer of the store takes.
const LEASE: u64 = 3_000;
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

/// What is looked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    place: &'a str,
    /// What names a session in the filter of the ended ones.
    ended: Option<&'a [u8]>,
    /// The copy that need not be told again.
    known: Option<Stamp>,
}

/// What a look found.
enum Look {
    /// A copy that may answer.
    Hit(Stamp, Vec<u8>),
    /// The copy that is known.
    Same,
    /// None; what the store says may be kept.
    Miss(Lease),
    /// Ask the store.
    Closed,
}

/// The right to fill a place, until anything is changed there.
struct Lease {
    view: Arc<View>,
    name: String,
}

/// Those who wait for an epoch to end: one advance serves all who came before it.
#[derive(Default)]
struct Waiting {
    asked: AtomicU64,
    served: Mutex<u64>,
}

/// The copies.
pub struct Cache {
    redis: Arc<Redis>,
    epochs: Arc<dyn Epochs>,
    randomness: Arc<dyn Randomness>,
    views: Views,
    revoked: Bloom,
    waiting: [Waiting; 2],
    hits: Arc<AtomicU64>,
    misses: Arc<AtomicU64>,
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
        Arc::new(Self {
            redis,
            epochs,
            randomness,
            views,
            // a million sessions ended a day; past that it only saves less
            revoked: Bloom::sized(1_000_000, 100),
            waiting: Default::default(),
            hits: Arc::default(),
            misses: Arc::default(),
            looking: tokio::spawn(looking.keep()).abort_handle(),
        })
    }

    /// Waits until copies are believed, for so long.
    pub async fn in_step(&self, at_most: Duration) -> bool {
        let seen = async {
            while self.views.now().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(at_most, seen).await.is_ok()
    }

    /// Looks that a copy answered, and those that went to the store.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, Arc<AtomicU64>); 2] {
        [("portcullis_cache_hits_total", self.hits.clone()), ("portcullis_cache_misses_total", self.misses.clone())]
    }

    fn key(&self, rest: &str) -> String {
        format!("{}cache:{rest}", self.redis.prefix)
    }

    /// Asks by a script of a view's generation. A server that does not know it is not the one, and nothing is believed.
    async fn ask_as<T: redis::FromRedisValue>(
        &self,
        view: &View,
        script: impl FnOnce(&crate::redis::cache::scripts::Scripts) -> &Script,
        keys: &[String],
        arguments: impl FnOnce(&mut redis::Cmd) + Send,
    ) -> Option<T> {
        let mut question = self.question(view, script(&view.scripts), keys);
        arguments(&mut question);
        let ask =
            async move |mut connection: ConnectionManager| known(question.query_async::<T>(&mut connection).await);
        self.believed(self.redis.ask(ask).await?)
    }

    fn question(&self, view: &View, script: &Script, keys: &[String]) -> redis::Cmd {
        let mut question = redis::cmd("EVALSHA");
        question.arg(script.get_hash()).arg(keys.len() + 1).arg(self.key("generation")).arg(keys);
        question.arg(&view.epoch.generation);
        question
    }

    /// An answer of a server that knew the script.
    fn believed<T>(&self, answer: Option<T>) -> Option<T> {
        if answer.is_none() {
            self.views.set(None);
        }
        answer
    }

    fn random<const LENGTH: usize>(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.randomness.fill(&mut bytes);
        bytes
    }

    /// The copy of a place that is known.
    fn known<T>(&self, of: &Known<T>, place: &str) -> Option<(Stamp, Arc<T>)> {
        of.get(self.views.now()?.epoch.copies, place)
    }

    /// Looks for a copy.
    async fn look(&self, wanted: Wanted<'_>) -> Look {
        self.look_for_all(&[wanted]).await.pop().unwrap_or(Look::Closed)
    }

    /// Looks for copies, all in one question.
    async fn look_for_all(&self, wanted: &[Wanted<'_>]) -> Vec<Look> {
        let Some(view) = self.views.now() else { return wanted.iter().map(|_| Look::Closed).collect() };
        let names: Vec<String> =
            wanted.iter().map(|_| format!("L{:032x}", u128::from_be_bytes(self.random()))).collect();
        let places: Vec<String> = wanted.iter().map(|wanted| self.key(wanted.place)).collect();
        let answer = self.ask_as::<Value>(
            &view,
            |scripts| &scripts.look,
            &places,
            |question| {
                question.arg(&view.header).arg(self.key("revoked:")).arg(LEASE);
                for (Wanted { ended, known, .. }, name) in wanted.iter().zip(&names) {
                    let bits: Vec<u64> = ended.iter().flat_map(|random| self.revoked.positions(random)).collect();
                    let known = known.as_ref().filter(|known| known.epoch == view.epoch.copies);
                    let known = known.map_or(&[][..], |known| &known.nonce);
                    question.arg(name).arg(known).arg(bits.len()).arg(bits);
                }
            },
        );
        let answers = if let Some(Value::Array(answers)) = answer.await { answers } else { Vec::new() };
        let mut answers = answers.into_iter();
        let found = wanted.iter().zip(names).map(|(wanted, name)| match answers.next() {
            Some(Value::BulkString(value)) => {
                let opened = copy::open(&view.epoch.key, &view.header, wanted.place, &value);
                let stamp = |nonce| Stamp { epoch: view.epoch.copies, nonce };
                opened.map_or(Look::Closed, |(nonce, copy)| Look::Hit(stamp(nonce), copy))
            }
            Some(Value::Int(1)) => Look::Miss(Lease { view: view.clone(), name }),
            Some(Value::Int(3)) => Look::Same,
            _ => Look::Closed,
        });
        let found: Vec<Look> = found.collect();
        for look in &found {
            let count = if matches!(look, Look::Hit(..) | Look::Same) { &self.hits } else { &self.misses };
            count.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// Keeps what the store said, if nothing was changed since the lease was taken.
    async fn fill(&self, lease: Lease, place: &str, copy: &[u8]) {
        let Lease { view, name } = lease;
        let sealed = copy::seal(&view.epoch.key, &view.header, place, self.random(), copy);
        let Some(sealed) = sealed else { return };
        let keys = [self.key(place)];
        let filled = self.ask_as::<i64>(
            &view,
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
        let Some(view) = self.views.now() else { return false };
        let keys: Vec<String> = places.iter().map(|place| self.key(place)).collect();
        let bits: Vec<u64> = ended.iter().flat_map(|random| self.revoked.positions(random)).collect();
        let filter = self.key("revoked:");
        let buried = self.ask_as::<i64>(
            &view,
            |scripts| &scripts.bury,
            &keys,
            |question| {
                question.arg(BURIED).arg(filter).arg(bits);
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
            for _ in 0..LIFE / 1000 {
                ticks.tick().await;
                if epochs.advance(which).await.is_ok() {
                    return;
                }
            }
        });
    }
}

/// A script that the server does not know is an answer too.
fn known<T>(answer: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("NOSCRIPT") => Ok(None),
        Err(error) => Err(error),
    }
}
