//! The thread that writes. It takes all changes that wait, up to a bound, into one commit, each in a savepoint of its
//! own, and answers them when the commit is on the disk: one fsync for many.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use portcullis_core::ports::error::PortError;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// Most changes in a commit.
const BATCH: usize = 128;
/// Most changes that wait; more than that are refused.
const WAITING: usize = 4096;

/// What a change does, then what tells its caller, once the commit is known to have succeeded or not.
type Change = Box<dyn FnOnce(&Connection) -> Told + Send>;
type Told = Box<dyn FnOnce(Result<(), String>) + Send>;

enum Order {
    Change(Change),
    /// Fold the log into the file, so that what was erased is in neither; then tell.
    Checkpoint(oneshot::Sender<()>),
}

/// Hands changes to the thread.
pub struct Writer {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(connection: Connection) -> std::io::Result<Self> {
        let (orders, waiting) = mpsc::sync_channel(WAITING);
        let thread =
            thread::Builder::new().name("store-writer".to_owned()).spawn(move || run(&connection, &waiting))?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Makes a change; answered when it is on the disk. A failed change leaves nothing behind.
    pub async fn write<T: Send + 'static>(
        &self,
        port: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let answer = self.submit(port, change)?;
        answer.await.map_err(|_| gone(port))?
    }

    /// Makes a change soon; nobody waits for it. `false` if too much waits already.
    pub fn write_later(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) -> bool {
        self.submit("audit_log", change).is_ok()
    }

    /// Folds the log into the file.
    pub async fn checkpoint(&self, port: &'static str) -> Result<(), PortError> {
        let (done, folded) = oneshot::channel();
        self.send(port, Order::Checkpoint(done))?;
        folded.await.map_err(|_| gone(port))
    }

    fn submit<T: Send + 'static>(
        &self,
        port: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, PortError>>, PortError> {
        let (tell, answer) = oneshot::channel();
        let change: Change = Box::new(move |connection| {
            let outcome = in_savepoint(connection, change);
            Box::new(move |committed: Result<(), String>| {
                let told = match (outcome, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Ok(_), Err(error)) => Err(PortError::new(port, error)),
                    (Err(error), _) => Err(PortError::new(port, error)),
                };
                let _ = tell.send(told);
            })
        });
        self.send(port, Order::Change(change))?;
        Ok(answer)
    }

    fn send(&self, port: &'static str, order: Order) -> Result<(), PortError> {
        let orders = self.orders.as_ref().ok_or_else(|| gone(port))?;
        orders.try_send(order).map_err(|_| PortError::new(port, "too many changes are waiting for the disk"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // the thread does what waits, then sees that nobody can send any more
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn gone(port: &'static str) -> PortError {
    PortError::new(port, "the store is closed")
}

fn in_savepoint<T>(
    connection: &Connection,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.prepare_cached("SAVEPOINT change")?.execute([])?;
    let outcome = change(connection);
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
    }
    connection.prepare_cached("RELEASE change")?.execute([])?;
    outcome
}

fn run(connection: &Connection, orders: &Receiver<Order>) {
    connection.set_prepared_statement_cache_capacity(128);
    while let Ok(first) = orders.recv() {
        let mut checkpoints = Vec::new();
        let mut changes = Vec::new();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Change(change) => changes.push(change),
                Order::Checkpoint(done) => checkpoints.push(done),
            }
            next = if changes.len() < BATCH { orders.try_recv().ok() } else { None };
        }
        if !changes.is_empty() {
            commit(connection, changes);
        }
        if !checkpoints.is_empty() {
            fold(connection);
        }
        for done in checkpoints {
            let _ = done.send(());
        }
    }
    fold(connection);
}

fn commit(connection: &Connection, changes: Vec<Change>) {
    let begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string());
    let told: Vec<Told> = changes.into_iter().map(|change| change(connection)).collect();
    let committed = begun.and_then(|()| connection.execute_batch("COMMIT").map_err(|error| error.to_string()));
    if committed.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    for tell in told {
        tell(committed.clone());
    }
}

/// Best effort: a reader in the middle of something keeps the log; the next one folds it.
fn fold(connection: &Connection) {
    for _ in 0..50 {
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if busy.is_ok_and(|busy| busy == 0) {
            return;
        }
    }
    tracing::warn!("the log could not be folded into the database file yet");
}
