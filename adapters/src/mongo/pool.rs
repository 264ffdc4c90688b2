//! The way to the database. The driver's pool has a queue for its connections that keeps those who have stopped waiting,
//! and takes up only one with each thing that happens to the pool: after a stall hundreds of them would stand in front of
//! everyone, who stops waiting too, for minutes after the server is well again. So no more wait there than there are
//! connections, and a pool that does not answer where a fresh one does is changed for that.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::MissedTickBehavior;

/// Connections, where the address says nothing else.
const USUAL: u32 = 10;
/// Most that are opened at the same time.
const CONNECTING: u32 = 32;
/// Connections without a place: for looks at the epoch, and at the pool itself.
const SPARE: u32 = 2;
/// How often it is looked whether somebody has waited in vain.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a pool may take to answer before a fresh one is asked.
const PATIENCE: Duration = Duration::from_millis(500);

/// Of all pools of this process. It has one, and two while it moves a store.
static PLACES: Semaphore = Semaphore::const_new(0);
/// Operations that nobody waited for to the end.
static FORSAKEN: AtomicU64 = AtomicU64::new(0);

/// What the driver is told of its pool.
pub fn prepare(options: &mut ClientOptions) {
    let connections = *options.max_pool_size.get_or_insert(USUAL);
    // nobody with a place waits for others who connect
    options.max_connecting.get_or_insert(connections.clamp(1, CONNECTING));
}

/// A place, if there is one in time.
pub async fn place(patience: Duration) -> Option<SemaphorePermit<'static>> {
    tokio::time::timeout(patience, PLACES.acquire()).await.ok()?.ok()
}

/// Somebody who waits for the driver. Counts as forsaken when dropped, unless it was answered.
pub struct Waiting;

impl Waiting {
    pub const fn answered(self) {
        mem::forget(self);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        FORSAKEN.fetch_add(1, Ordering::Relaxed);
    }
}

/// The database, by the pool of the moment.
pub struct Pool {
    options: ClientOptions,
    places: usize,
    now: RwLock<Database>,
}

impl Drop for Pool {
    fn drop(&mut self) {
        PLACES.forget_permits(self.places);
    }
}

impl Pool {
    /// Of a database that was reached with these options.
    pub fn of(database: Database, options: ClientOptions) -> Arc<Self> {
        let connections = options.max_pool_size.unwrap_or(USUAL);
        let places = usize::try_from(connections.saturating_sub(SPARE).max(1)).unwrap_or(1);
        PLACES.add_permits(places);
        let pool = Arc::new(Self { options, places, now: RwLock::new(database) });
        tokio::spawn(keep(Arc::downgrade(&pool)));
        pool
    }

    pub fn database(&self) -> Database {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the pool answers, or was changed for one that does. A fresh one has until the server is back.
    async fn answers(&self, fresh: &mut Option<Database>) -> bool {
        let now = self.database();
        if answers(&now).await {
            *fresh = None;
            return true;
        }
        if fresh.is_none() {
            let client = Client::with_options(self.options.clone()).ok();
            *fresh = client.map(|client| client.database(now.name()));
        }
        match fresh.take() {
            Some(other) if answers(&other).await => {
                tracing::warn!(
                    "MONGO_URL: the server answers, but the connections to it did not: they are fresh ones now"
                );
                let stuck = mem::replace(&mut *self.now.write().unwrap_or_else(PoisonError::into_inner), other);
                drop(stuck);
                true
            }
            other => {
                *fresh = other;
                false
            }
        }
    }
}

async fn answers(database: &Database) -> bool {
    let ping = database.run_command(doc! {"ping": 1});
    matches!(tokio::time::timeout(PATIENCE, ping).await, Ok(Ok(_)))
}

/// Looks after a pool for as long as there is one.
async fn keep(pool: Weak<Pool>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut well, mut fresh) = (FORSAKEN.load(Ordering::Relaxed), None);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        let forsaken = FORSAKEN.load(Ordering::Relaxed);
        if forsaken != well && pool.answers(&mut fresh).await {
            well = forsaken;
        }
    }
}
