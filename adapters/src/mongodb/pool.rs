//! The driver's connection pool, and the deadline of every operation on it.
//!
//! The driver queues operations for a connection and keeps those whose callers have given up; after a stall it serves
//! hundreds of abandoned operations first. So no more operations wait in the driver than there are connections (permits),
//! and a pool that does not answer where a fresh one does is replaced.

use std::future::IntoFuture;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use mongodb::error::Error;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use portcullis_core::ports::error::PortError;
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;

use crate::mongodb::failure::{Failure, is_duplicate};
use crate::trace_spans;

/// Connections, unless the connection string says otherwise.
const DEFAULT_CONNECTIONS: u32 = 10;
/// The most connections that are opened at the same time.
const MAX_CONNECTING: u32 = 32;
/// Connections without a permit: for health checks of the pool itself.
const SPARE_CONNECTIONS: u32 = 2;
/// How often the number of abandoned operations is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How long a pool may take to answer a ping before a fresh one is tried.
const PING_TIMEOUT: Duration = Duration::from_millis(500);
/// How long an operation may take: with the database away, every answer comes within two seconds.
pub const OPERATION_TIMEOUT: Duration = Duration::from_millis(1500);

/// Sets the pool options that the connection string leaves open.
pub fn prepare(options: &mut ClientOptions) {
    let connections = *options.max_pool_size.get_or_insert(DEFAULT_CONNECTIONS);
    // an operation that has a permit waits for no other connection to be opened
    options.max_connecting.get_or_insert(connections.clamp(1, MAX_CONNECTING));
}

/// The database, through the current pool.
pub struct Pool {
    options: ClientOptions,
    permits: Semaphore,
    abandoned: AtomicU64,
    current: RwLock<Database>,
}

/// Counts an operation as abandoned when it is dropped before it was answered.
struct Pending<'a> {
    abandoned: &'a AtomicU64,
    answered: bool,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Pool {
    /// The pool of a database that was reached with these options.
    pub fn new(database: Database, options: ClientOptions) -> Arc<Self> {
        let connections = options.max_pool_size.unwrap_or(DEFAULT_CONNECTIONS);
        let permits = usize::try_from(connections.saturating_sub(SPARE_CONNECTIONS).max(1)).unwrap_or(1);
        let (permits, abandoned) = (Semaphore::new(permits), AtomicU64::new(0));
        let pool = Arc::new(Self { options, permits, abandoned, current: RwLock::new(database) });
        tokio::spawn(replace_when_stuck(Arc::downgrade(&pool)));
        pool
    }

    pub fn database(&self) -> Database {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs an operation within the time that a request has.
    pub async fn run_with_deadline<T, F>(&self, port: &'static str, operation: F) -> Result<T, Failure>
    where
        F: IntoFuture<Output = Result<T, Error>>,
    {
        self.run_within(OPERATION_TIMEOUT, port, operation).await
    }

    /// Runs an operation within `timeout`. If no permit is free within half of it, the operation fails: it could not
    /// finish in time.
    pub async fn run_within<T, F>(&self, timeout: Duration, port: &'static str, operation: F) -> Result<T, Failure>
    where
        F: IntoFuture<Output = Result<T, Error>>,
    {
        self.run_unseen(timeout, port, operation).instrument(trace_spans::store(port, "call")).await
    }

    async fn run_unseen<T, F>(&self, timeout: Duration, port: &'static str, operation: F) -> Result<T, Failure>
    where
        F: IntoFuture<Output = Result<T, Error>>,
    {
        let began = Instant::now();
        let Ok(Ok(_permit)) = tokio::time::timeout(timeout / 2, self.permits.acquire()).await else {
            return Err(timed_out(port));
        };
        let mut pending = Pending { abandoned: &self.abandoned, answered: false };
        let left = timeout.saturating_sub(began.elapsed());
        let answer = tokio::time::timeout(left, operation.into_future()).await;
        pending.answered = answer.is_ok();
        match answer {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) if is_duplicate(&error) => Err(Failure::Taken(PortError::new(port, error))),
            Ok(Err(error)) => Err(Failure::Port(PortError::new(port, error))),
            Err(_) => Err(timed_out(port)),
        }
    }

    /// Whether the current pool answers, or was replaced by one that does. `fresh` keeps a new pool until the server is
    /// back.
    async fn check(&self, fresh: &mut Option<Database>) -> bool {
        let current = self.database();
        if answers(&current).await {
            *fresh = None;
            return true;
        }
        if fresh.is_none() {
            let client = Client::with_options(self.options.clone()).ok();
            *fresh = client.map(|client| client.database(current.name()));
        }
        match fresh.take() {
            Some(other) if answers(&other).await => {
                tracing::warn!(
                    "MONGO_URL: the server answers on new connections only: the connection pool is replaced"
                );
                let stuck = mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), other);
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

fn timed_out(port: &'static str) -> Failure {
    Failure::Port(PortError::new(port, "MongoDB did not answer in time"))
}

async fn answers(database: &Database) -> bool {
    let ping = database.run_command(doc! {"ping": 1});
    matches!(tokio::time::timeout(PING_TIMEOUT, ping).await, Ok(Ok(_)))
}

/// Checks a pool whenever operations on it were abandoned, for as long as it exists.
async fn replace_when_stuck(pool: Weak<Pool>) {
    let mut ticks = tokio::time::interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut checked, mut fresh) = (0, None);
    loop {
        ticks.tick().await;
        let Some(pool) = pool.upgrade() else { return };
        let abandoned = pool.abandoned.load(Ordering::Relaxed);
        if abandoned != checked && pool.check(&mut fresh).await {
            checked = abandoned;
        }
    }
}
