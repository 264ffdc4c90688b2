//! Copies of sealed records that answer for the store, exactly: what was changed or ended is never answered again, with
//! Redis away, emptied, restarted or replaced by a replica that lags behind.
//!
//! A copy is believed only while three things are certain. The *generation* is a name that dies with whatever Redis
//! forgets: it is a key (gone with an emptied server) and part of the scripts' texts (gone with a restarted one). The
//! *epoch* is a number in the store itself: who cannot reach Redis to take a copy back advances it and waits until every
//! instance has looked. And an instance looks often, and believes nothing for longer than [`TRUST`] after a look.
//!
//! A change buries the record's copy before and after it: for a while nobody answers from it or fills it, so that what was
//! read before the change is not kept after it.

mod filter;
mod rate_limiter;
mod scripts;
mod session_store;
mod user_filter;
mod user_store;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;
use redis::aio::ConnectionManager;
use redis::{RedisError, Script, Value};
use tokio::task::AbortHandle;

use crate::bloom::Bloom;
use crate::redis::Redis;
use crate::redis::cache::scripts::{BURY, SUCCEED, Scripts};

pub use filter::{Members, SharedFilter};
pub use rate_limiter::FilteredLimiter;
pub use session_store::CachedSessions;
pub use user_filter::FilteredUsers;
pub use user_store::CachedUsers;

/// How long after a look at the epoch it is believed.
const TRUST: Duration = Duration::from_millis(300);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a copy lives.
const LIFE: Duration = Duration::from_secs(300);
/// How long nobody fills what was changed: much longer than an answer of the store is on its way.
const BURIED: Duration = Duration::from_secs(10);
/// The oldest Redis whose replicas do not know the scripts of the server they copy.
const OLDEST: u32 = 7;

/// Numbers in the store that say since when copies and filters are to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Of copies of records.
    pub copies: u64,
    /// Of filters.
    pub filters: u64,
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

    /// Adds one, durably.
    async fn advance(&self, which: Advance) -> Result<(), PortError>;
}

/// What an instance knows of epoch and generation, and until when it may believe it.
#[derive(Clone)]
struct View {
    epoch: Epoch,
    generation: Arc<str>,
    scripts: Arc<Scripts>,
    until: Instant,
}

impl View {
    /// What stands in front of every copy.
    fn header(&self) -> Vec<u8> {
        [&self.epoch.copies.to_be_bytes()[..], self.generation.as_bytes()].concat()
    }
}

/// What a look found.
enum Look {
    /// A copy that may answer.
    Hit(Vec<u8>),
    /// None; what the store says may be kept under this view.
    Miss(View),
    /// Ask the store.
    Closed,
}

/// The copies.
pub struct Cache {
    redis: Arc<Redis>,
    epochs: Arc<dyn Epochs>,
    view: Arc<RwLock<Option<View>>>,
    revoked: Bloom,
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
        let view = Arc::new(RwLock::new(None));
        let looking = keep_looking(redis.clone(), epochs.clone(), randomness, view.clone());
        Arc::new(Self {
            redis,
            epochs,
            view,
            // a million sessions ended a day; past that it only saves less
            revoked: Bloom::sized(1_000_000, 100),
            hits: Arc::default(),
            misses: Arc::default(),
            looking: tokio::spawn(looking).abort_handle(),
        })
    }

    /// Waits until copies are believed, for so long.
    pub async fn in_step(&self, at_most: Duration) -> bool {
        let seen = async {
            while self.view().is_none() {
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

    fn view(&self) -> Option<View> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner).clone();
        view.filter(|view| Instant::now() < view.until)
    }

    /// Asks by a script of the view's generation; a server that does not know it has forgotten everything.
    async fn ask_as<T: redis::FromRedisValue>(
        &self,
        question: impl AsyncFnOnce(ConnectionManager) -> Result<T, RedisError>,
    ) -> Option<T> {
        let answer = self.redis.ask(async move |connection| known(question(connection).await)).await?;
        if answer.is_none() {
            *self.view.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        answer
    }

    /// Looks for a copy. `ended` is what names a session in the filter of the ended ones.
    async fn look(&self, key: &str, ended: Option<&[u8]>) -> Look {
        let Some(view) = self.view() else { return Look::Closed };
        let (generation, scripts) = (self.key("generation"), view.scripts.clone());
        let (as_known, filter) = (view.generation.clone(), self.key("revoked:"));
        let bits: Vec<u64> = ended.into_iter().flat_map(|random| self.revoked.positions(random)).collect();
        let key = key.to_owned();
        let found = self.ask_as(async move |mut connection| {
            let mut question = evalsha(&scripts.look, &[&generation, &key]);
            question.arg(&*as_known);
            if !bits.is_empty() {
                question.arg(filter).arg(bits);
            }
            question.query_async::<Value>(&mut connection).await
        });
        let found = match found.await {
            Some(Value::BulkString(bytes)) => match bytes.strip_prefix(view.header().as_slice()) {
                Some(copy) => Look::Hit(copy.to_vec()),
                None => Look::Miss(view),
            },
            Some(Value::Int(1)) => Look::Miss(view),
            _ => Look::Closed,
        };
        let count = if matches!(found, Look::Hit(_)) { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps what the store said, unless it has been changed meanwhile.
    async fn fill(&self, view: View, key: &str, copy: &[u8]) {
        let (generation, value) = (self.key("generation"), [&view.header()[..], copy].concat());
        let key = key.to_owned();
        let life = LIFE.as_millis().to_string();
        self.ask_as(async move |mut connection| {
            let mut question = evalsha(&view.scripts.fill, &[&generation, &key]);
            question.arg(&*view.generation).arg(value).arg(life);
            question.query_async::<i64>(&mut connection).await
        })
        .await;
    }

    /// A change of the store, with the copies of what it changes buried before and after. If they cannot be, the epoch
    /// is advanced: the answer waits until no instance believes them any more.
    async fn around<T>(
        &self,
        keys: &[String],
        ended: &[[u8; 16]],
        change: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.bury(keys, ended).await;
        let changed = change.await;
        if !self.bury(keys, ended).await {
            self.distrust(Advance::Copies).await?;
        }
        changed
    }

    async fn bury(&self, keys: &[String], ended: &[[u8; 16]]) -> bool {
        let (keys, filter) = (keys.to_vec(), self.key("revoked:"));
        let bits: Vec<u64> = ended.iter().flat_map(|random| self.revoked.positions(random)).collect();
        let buried = self.redis.ask(async move |mut connection| {
            let script = Script::new(BURY);
            let mut bury = script.prepare_invoke();
            for key in keys {
                bury.key(key);
            }
            bury.arg(BURIED.as_millis().to_string()).arg(filter).arg(bits);
            bury.invoke_async::<i64>(&mut connection).await
        });
        buried.await.is_some()
    }

    /// Nobody believes what there is, once this answers.
    async fn distrust(&self, which: Advance) -> Result<(), PortError> {
        self.epochs.advance(which).await?;
        tokio::time::sleep(TRUST + Duration::from_millis(20)).await;
        Ok(())
    }
}

fn evalsha(script: &Script, keys: &[&str]) -> redis::Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}

/// A script that the server does not know is an answer too.
fn known<T>(answer: Result<T, RedisError>) -> Result<Option<T>, RedisError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("NOSCRIPT") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks at epoch and generation for ever.
async fn keep_looking(
    redis: Arc<Redis>,
    epochs: Arc<dyn Epochs>,
    randomness: Arc<dyn Randomness>,
    view: Arc<RwLock<Option<View>>>,
) {
    let key = format!("{}cache:generation", redis.prefix);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let until = Instant::now() + TRUST;
        let Ok(epoch) = epochs.current().await else { continue };
        let known = view.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(generation) = generation(&redis, &key, known.as_ref(), &*randomness).await else { continue };
        let scripts = match known {
            Some(known) if known.generation == generation => known.scripts,
            _ => Arc::new(Scripts::of(&generation)),
        };
        let seen = View { epoch, generation, scripts, until };
        *view.write().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }
}

/// The generation that counts, if it is alive; where it is not, a new one is begun for the next look.
async fn generation(redis: &Redis, key: &str, known: Option<&View>, randomness: &dyn Randomness) -> Option<Arc<str>> {
    let key = key.to_owned();
    let found = {
        let key = key.clone();
        redis.ask(async move |mut c| redis::cmd("GET").arg(key).query_async::<Option<String>>(&mut c).await).await?
    };
    if let Some(found) = &found {
        let scripts = match known {
            Some(known) if *known.generation == **found => known.scripts.clone(),
            _ => Arc::new(Scripts::of(found)),
        };
        let alive = redis.ask(async move |mut connection| {
            let mut exists = redis::cmd("SCRIPT");
            exists.arg("EXISTS");
            for script in scripts.all() {
                exists.arg(script.get_hash());
            }
            exists.query_async::<Vec<i64>>(&mut connection).await
        });
        if alive.await?.iter().all(|known| *known == 1) {
            return Some(Arc::from(found.as_str()));
        }
    }
    let mut name = [0; 16];
    randomness.fill(&mut name);
    begin(redis, key, found.unwrap_or_default(), format!("{:032x}", u128::from_be_bytes(name))).await
}

async fn begin(redis: &Redis, key: String, seen: String, fresh: String) -> Option<Arc<str>> {
    let begun = redis.ask(async move |mut connection| {
        let told: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        if !told.lines().any(|line| major(line).is_some_and(|major| major >= OLDEST)) {
            return Ok(None);
        }
        for script in Scripts::of(&fresh).all() {
            script.load_async(&mut connection).await?;
        }
        let script = Script::new(SUCCEED);
        let mut succeed = script.prepare_invoke();
        succeed.key(key).arg(seen).arg(&fresh);
        // another instance's is looked at next time
        let now: Option<String> = succeed.invoke_async(&mut connection).await?;
        Ok(now.filter(|now| *now == fresh))
    });
    begun.await?.map(Arc::from)
}

fn major(line: &str) -> Option<u32> {
    line.strip_prefix("redis_version:")?.split('.').next()?.parse().ok()
}
