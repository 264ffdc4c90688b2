//! The way to the database. The driver's pool has a queue for its connections that keeps those who have stopped waiting,
//! and takes up only one with each thing that happens to the pool: after a stall hundreds of them would stand in front of
//! everyone, who stops waiting too, for minutes after the server is well again. So no more wait there than there are
//! connections, and a pool that does not answer where a fresh one does is changed for that.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio::time::MissedTickBehavior;

/// Connections, where the address says nothing else.
const USUAL: u32 = 10;
/// How often it is looked whether somebody has waited in vain.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a pool may take to answer before a fresh one is asked.
const PATIENCE: Duration = Duration::from_millis(500);

/// Of this process: it has one pool, and two while it moves a store.
static PLACES: OnceLock<Semaphore> = OnceLock::new();
/// Operations that nobody waited for to the end.
static FORSAKEN: AtomicU64 = AtomicU64::new(0);

/// As many places as the driver will have connections.
pub fn prepare(options: &mut ClientOptions) {
    let connections = *options.max_pool_size.get_or_insert(USUAL);
    // nobody with a place waits for others who connect
    options.max_connecting.get_or_insert(connections.max(1));
    PLACES.get_or_init(|| places(connections));
}

/// A place, once there is one.
pub async fn place() -> Result<SemaphorePermit<'static>, AcquireError> {
    PLACES.get_or_init(|| places(USUAL)).acquire().await
}

fn places(connections: u32) -> Semaphore {
    // none means no bound
    let places = usize::try_from(connections).ok().filter(|places| *places > 0);
    Semaphore::new(places.unwrap_or(Semaphore::MAX_PERMITS))
}

/// Nobody waits for an operation any more.
pub fn forsake() {
    FORSAKEN.fetch_add(1, Ordering::Relaxed);
}

/// The database, by the pool of the moment.
pub struct Pool {
    options: ClientOptions,
    now: RwLock<Database>,
}

impl Pool {
    /// Of a database that was reached with these options.
    pub fn of(database: Database, options: ClientOptions) -> Arc<Self> {
        let pool = Arc::new(Self { options, now: RwLock::new(database) });
        tokio::spawn(keep(Arc::downgrade(&pool)));
        pool
    }

    pub fn database(&self) -> Database {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the pool answers, or was changed for one that does.
    async fn answers(&self) -> bool {
        let now = self.database();
        if answers(&now).await {
            return true;
        }
        let Ok(client) = Client::with_options(self.options.clone()) else { return false };
        let fresh = client.database(now.name());
        if !answers(&fresh).await {
            return false;
        }
        tracing::warn!("MONGO_URL: the server answers, but the connections to it did not: they are fresh ones now");
        drop(mem::replace(&mut *self.now.write().unwrap_or_else(PoisonError::into_inner), fresh));
        true
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
    let mut well = FORSAKEN.load(Ordering::Relaxed);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        let forsaken = FORSAKEN.load(Ordering::Relaxed);
        if forsaken != well && pool.answers().await {
            well = forsaken;
        }
    }
}
