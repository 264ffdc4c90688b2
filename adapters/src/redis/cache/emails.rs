//! A filter of the addresses that have accounts, shared by all instances, built anew once a day and whenever Redis has
//! forgotten it. It may only say "certainly none", while it is certain; everything else the store decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::user::User;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{InsertUser, ReplaceUser, UserStore};
use redis::Script;
use tokio::task::AbortHandle;

use crate::redis::cache::bloom::Bloom;
use crate::redis::cache::scripts::ADD;
use crate::redis::cache::{Advance, Cache, View, evalsha};

/// How often it is seen to.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Built anew after this long, seconds, for what was deleted is in it still.
const DAY: i64 = 86_400;
/// Whoever was adding when a build began has been answered by the store after this long.
const GRACE: Duration = Duration::from_secs(3);
/// A build takes no longer; then another instance may begin.
const LOCK_SECONDS: u64 = 600;
/// Members sent at once.
const BATCH: usize = 500;
/// Room for at least so many.
const FEWEST: u64 = 10_000;
/// One unknown address in so many is looked up in vain.
const ONE_IN: u32 = 100;
/// Keys: the scripts' generation, the times of the filter, the names of the one that counts and of the one being built.
const GENERATION: &str = "generation";
const OF: &str = "emails:of";
const CURRENT: &str = "emails:current";
const BUILDING: &str = "emails:building";
const LOCK: &str = "emails:lock";

/// A store that tells the blind indexes of all its accounts.
#[async_trait]
pub trait EmailIndexes: Send + Sync {
    /// How many there are, about.
    async fn count(&self) -> Result<u64, PortError>;

    /// Hands all of them over, in batches.
    async fn stream(&self, batch: usize, to: tokio::sync::mpsc::Sender<Vec<Digest>>) -> Result<(), PortError>;
}

/// The filter.
pub struct EmailFilter {
    cache: Arc<Cache>,
    building: AbortHandle,
}

impl Drop for EmailFilter {
    fn drop(&mut self) {
        self.building.abort();
    }
}

impl EmailFilter {
    /// A filter of what `indexes` has, kept in step by a task that ends with this.
    #[must_use]
    pub fn start(cache: Arc<Cache>, indexes: Arc<dyn EmailIndexes>) -> Self {
        let building = tokio::spawn(keep_built(cache.clone(), indexes)).abort_handle();
        Self { cache, building }
    }

    /// Adds, before the store does. Who cannot be told makes everyone distrust the filter.
    async fn add(&self, email: &Digest) -> Result<(), PortError> {
        let pointers = [self.cache.key(CURRENT), self.cache.key(BUILDING)];
        if !add(&self.cache, pointers.to_vec(), &[*email]).await {
            self.cache.distrust(Advance::Filters).await?;
        }
        Ok(())
    }

    /// Whether an address has certainly no account.
    async fn certainly_absent(&self, email: &Digest) -> bool {
        let Some(view) = self.cache.view() else { return false };
        let [start, step] = Bloom::seeds(email.as_bytes());
        let keys = [GENERATION, OF, CURRENT].map(|key| self.cache.key(key));
        let absent = self.cache.ask_as(async move |mut connection| {
            let mut question = evalsha(&view.scripts.absent, &keys.each_ref().map(String::as_str));
            question.arg(&*view.generation).arg(of(&view)).arg(hashes()).arg(start).arg(step);
            question.query_async::<i64>(&mut connection).await
        });
        absent.await == Some(1)
    }
}

/// Bits of a member, whatever the filter's size.
fn hashes() -> u32 {
    Bloom::sized(1, ONE_IN).hashes
}

/// The times a filter belongs to.
fn of(view: &View) -> String {
    format!("{}:{}", view.epoch.filters, view.generation)
}

/// Adds to the filters that pointers name. Whether Redis was told.
async fn add(cache: &Cache, pointers: Vec<String>, emails: &[Digest]) -> bool {
    let seeds: Vec<u64> = emails.iter().flat_map(|email| Bloom::seeds(email.as_bytes())).collect();
    let told = cache.redis.ask(async move |mut connection| {
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

async fn keep_built(cache: Arc<Cache>, indexes: Arc<dyn EmailIndexes>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(view) = cache.view() else { continue };
        if is_current(&cache, &view).await {
            continue;
        }
        match build(&cache, &*indexes, view).await {
            Ok(true) => tracing::info!("the filter of registered addresses is built"),
            // another instance builds, or Redis forgot everything meanwhile
            Ok(false) => {}
            Err(error) => tracing::warn!("the filter of registered addresses could not be built: {error}"),
        }
    }
}

async fn is_current(cache: &Cache, view: &View) -> bool {
    let key = cache.key(OF);
    let found =
        cache.redis.ask(async move |mut c| redis::cmd("GET").arg(key).query_async::<Option<String>>(&mut c).await);
    // with Redis away there is nothing to build in
    found.await.is_none_or(|found| found == Some(of(view)))
}

async fn build(cache: &Arc<Cache>, indexes: &dyn EmailIndexes, view: View) -> Result<bool, PortError> {
    let (lock, pointer) = (cache.key(LOCK), cache.key(BUILDING));
    let room = Bloom::sized(indexes.count().await?.saturating_mul(2).max(FEWEST), ONE_IN);
    // the view's own name, so that no two builds at a time share one
    let name = format!("{}:{}:{}", cache.key("emails"), of(&view), room.bits);
    let begun = {
        let (lock, pointer, name) = (lock.clone(), pointer.clone(), name.clone());
        cache.redis.ask(async move |mut connection| {
            let mut take = redis::cmd("SET");
            take.arg(&lock).arg("").arg("NX").arg("EX").arg(LOCK_SECONDS);
            if take.query_async::<Option<String>>(&mut connection).await?.is_none() {
                return Ok(false);
            }
            let mut begin = redis::pipe();
            begin.atomic().del(&name).setbit(&name, 0, false).expire(&name, 2 * DAY).set(&pointer, &name);
            begin.query_async::<()>(&mut connection).await?;
            Ok(true)
        })
    };
    if begun.await != Some(true) {
        return Ok(false);
    }
    let filled = fill(cache, indexes, &pointer).await;
    let done = match &filled {
        Ok(true) => finish(cache, &view, name).await,
        _ => false,
    };
    let _ = cache.redis.ask(async move |mut c| redis::cmd("DEL").arg(lock).query_async::<i64>(&mut c).await).await;
    filled.map(|_| done)
}

/// Everything the store has, into the filter that is being built.
async fn fill(cache: &Arc<Cache>, indexes: &dyn EmailIndexes, pointer: &str) -> Result<bool, PortError> {
    tokio::time::sleep(GRACE).await;
    let (to, mut batches) = tokio::sync::mpsc::channel::<Vec<Digest>>(2);
    let adding = async {
        let mut whole = true;
        while let Some(batch) = batches.recv().await {
            whole &= add(cache, vec![pointer.to_owned()], &batch).await;
        }
        whole
    };
    let (streamed, whole) = tokio::join!(indexes.stream(BATCH, to), adding);
    streamed.map(|()| whole)
}

async fn finish(cache: &Cache, view: &View, name: String) -> bool {
    let keys = [GENERATION, OF, CURRENT, BUILDING].map(|key| cache.key(key));
    let finished = cache.ask_as(async move |mut connection| {
        let mut question = evalsha(&view.scripts.finish, &keys.each_ref().map(String::as_str));
        question.arg(&*view.generation).arg(of(view)).arg(name).arg(DAY);
        question.query_async::<i64>(&mut connection).await
    });
    finished.await == Some(1)
}

/// Accounts whose addresses are in the filter.
pub struct FilteredUsers {
    filter: EmailFilter,
    store: Arc<dyn UserStore>,
    saved: Arc<AtomicU64>,
}

impl FilteredUsers {
    /// `store`, with a filter in front.
    #[must_use]
    pub fn new(filter: EmailFilter, store: Arc<dyn UserStore>) -> Self {
        Self { filter, store, saved: Arc::default() }
    }

    /// Looks at the store that the filter has saved.
    #[must_use]
    pub fn saved(&self) -> (&'static str, Arc<AtomicU64>) {
        ("portcullis_filter_saved_total", self.saved.clone())
    }
}

#[async_trait]
impl UserStore for FilteredUsers {
    async fn insert(&self, user: User) -> Result<InsertUser, PortError> {
        self.filter.add(&user.person.email_index).await?;
        self.store.insert(user).await
    }

    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.store.find(realm, id).await
    }

    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError> {
        self.store.find_by_email(realm, email).await
    }

    async fn may_have_email(&self, realm: &Realm, email: &Digest) -> Result<bool, PortError> {
        if self.filter.certainly_absent(email).await {
            self.saved.fetch_add(1, Ordering::Relaxed);
            return Ok(false);
        }
        self.store.may_have_email(realm, email).await
    }

    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError> {
        self.filter.add(&user.person.email_index).await?;
        self.store.replace(user, expected).await
    }

    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        self.store.delete(realm, id).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.store.ping().await
    }
}
