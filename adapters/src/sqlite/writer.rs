//! The thread that writes. It takes all changes that wait, up to a bound, into one commit, each in a savepoint of its
//! own, and answers them when the commit is on the disk: one fsync for many. Dropping the future does not cancel a
//! write: it may still commit. A change that panics fails alone.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use portcullis_core::ports::error::PortError;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// How long a caller waits for the disk. What was asked may still happen; nothing is promised of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most changes in a commit.
const BATCH: usize = 128;
/// Most changes that wait; more than that are refused.
const WAITING: usize = 4096;
/// How often readers are asked to let the log go; each time, as long as the connection's busy timeout.
const FOLDS: u32 = 3;

type Failure = Box<dyn Error + Send + Sync>;
/// What a change does, then what tells its caller, once the commit is known to have succeeded or not. It is handed
/// the connection, or why there is no transaction to work in.
type Change = Box<dyn FnOnce(Result<&Connection, String>) -> Told + Send>;
type Told = Box<dyn FnOnce(Result<(), String>) + Send>;

struct Order {
    change: Change,
    /// Afterwards the log is folded into the file, before anyone is told, so that what was erased is in neither.
    erases: bool,
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
        let run = move || run(&connection, &waiting);
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(run)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Makes a change; answered when it is on the disk. A failed change leaves nothing behind.
    pub async fn write<T: Send + 'static>(
        &self,
        port: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.change(port, false, change).await
    }

    /// Makes a change that erases; answered when what it erased is in no file any more.
    pub async fn erase<T: Send + 'static>(
        &self,
        port: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.change(port, true, change).await
    }

    /// Makes a change that may be refused, which undoes it; answered as `erase` is where it erases.
    pub async fn write_unless_refused<T: Send + 'static, R: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        change: impl FnOnce(&Connection) -> rusqlite::Result<Result<T, R>> + Send + 'static,
    ) -> Result<Result<T, R>, PortError> {
        self.change_if(port, erases, Result::is_ok, change).await
    }

    /// Answers when everything that was handed over before is on the disk.
    pub async fn flush(&self, port: &'static str) -> Result<(), PortError> {
        self.change(port, false, |_| Ok(())).await
    }

    /// Makes a change soon; nobody waits for it. `lost` is called if it could not be made.
    pub fn write_later(
        &self,
        port: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
        lost: impl Fn(&PortError) + Clone + Send + 'static,
    ) {
        let told = lost.clone();
        let tell = move |outcome: Result<(), PortError>| {
            if let Err(error) = outcome {
                told(&error);
            }
        };
        if let Err(error) = self.submit(port, false, |()| true, change, tell) {
            lost(&error);
        }
    }

    async fn change<T: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.change_if(port, erases, |_| true, change).await
    }

    /// Makes a change, and undoes it where `keeps` says so of its outcome.
    async fn change_if<T: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        keeps: fn(&T) -> bool,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let (tell, answer) = oneshot::channel();
        self.submit(port, erases, keeps, change, move |outcome| {
            // whoever asked may be gone
            let _ = tell.send(outcome);
        })?;
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        answered.map_err(|_| PortError::new(port, "the disk did not answer in time"))?.map_err(|_| gone(port))?
    }

    fn submit<T: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        keeps: fn(&T) -> bool,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        tell: impl FnOnce(Result<T, PortError>) + Send + 'static,
    ) -> Result<(), PortError> {
        let change: Change = Box::new(move |connection| {
            let outcome =
                connection.map_err(Failure::from).and_then(|connection| in_savepoint(connection, keeps, change));
            Box::new(move |committed: Result<(), String>| {
                let outcome = outcome.and_then(|value| committed.map(|()| value).map_err(Failure::from));
                tell(outcome.map_err(|error| PortError::new(port, error)));
            })
        });
        let orders = self.orders.as_ref().ok_or_else(|| gone(port))?;
        orders.try_send(Order { change, erases }).map_err(|refused| match refused {
            TrySendError::Full(_) => PortError::new(port, "too many changes are waiting for the disk"),
            TrySendError::Disconnected(_) => gone(port),
        })
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

/// A change that fails or panics is undone alone.
fn in_savepoint<T>(
    connection: &Connection,
    keeps: fn(&T) -> bool,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Failure> {
    connection.prepare_cached("SAVEPOINT change")?.execute([])?;
    let outcome = match catch_unwind(AssertUnwindSafe(|| change(connection))) {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(_) => Err("the change panicked".into()),
    };
    // a full disk ends the whole transaction: then there is no savepoint any more, and the first error is the one to tell
    if !connection.is_autocommit() {
        if !outcome.as_ref().is_ok_and(keeps) {
            connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
        }
        connection.prepare_cached("RELEASE change")?.execute([])?;
    }
    outcome
}

fn run(connection: &Connection, orders: &Receiver<Order>) {
    connection.set_prepared_statement_cache_capacity(128);
    // an erasure that readers kept in the log so far
    let mut unfolded = false;
    while let Ok(first) = orders.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(order) = orders.try_recv()
        {
            batch.push(order);
        }
        unfolded |= batch.iter().any(|order| order.erases);
        let changes: Vec<Change> = batch.into_iter().map(|order| order.change).collect();
        let (told, committed) = commit(connection, changes);
        if unfolded {
            unfolded = !fold(connection);
        }
        for tell in told {
            tell(committed.clone());
        }
    }
    fold(connection);
}

/// One transaction for all of them. Nothing of it is told before the end of it is known.
fn commit(connection: &Connection, changes: Vec<Change>) -> (Vec<Told>, Result<(), String>) {
    let mut state = connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string());
    let mut told = Vec::with_capacity(changes.len());
    for change in changes {
        let usable = state.clone().map(|()| connection);
        told.push(change(usable));
        if state.is_ok() && connection.is_autocommit() {
            state = Err("the transaction was rolled back".to_owned());
        }
    }
    let committed = state.and_then(|()| connection.execute_batch("COMMIT").map_err(|error| error.to_string()));
    if let Err(error) = &committed {
        tracing::error!(error, "a commit failed");
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    (told, committed)
}

/// Folds the log into the file and empties it; whether that went. A reader in the middle of something prevents it.
fn fold(connection: &Connection) -> bool {
    for _ in 0..FOLDS {
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if busy.is_ok_and(|busy| busy == 0) {
            return true;
        }
    }
    tracing::warn!("the log could not be folded into the database file yet; it is tried again with the next change");
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn writer(path: &Path) -> Writer {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (n INTEGER UNIQUE)").unwrap();
        Writer::start(connection).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send {
        move |db| db.execute("INSERT INTO t VALUES (?1)", [n])
    }

    fn rows(path: &Path) -> Vec<i64> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT n FROM t ORDER BY n").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_that_fails_or_panics_takes_nobody_along() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = writer(&path);
        let (first, twice, panics, last) = tokio::join!(
            writer.write("t", insert(1)),
            writer.write("t", |db| {
                db.execute("INSERT INTO t VALUES (2)", [])?;
                db.execute("INSERT INTO t VALUES (2)", [])
            }),
            writer.write("t", |db| -> rusqlite::Result<()> {
                db.execute("INSERT INTO t VALUES (3)", [])?;
                panic!("a bug")
            }),
            writer.write("t", insert(4)),
        );
        assert!(first.is_ok() && last.is_ok() && twice.is_err());
        assert_eq!(panics.unwrap_err().source.to_string(), "the change panicked");
        assert_eq!(rows(&path), [1, 4]);
    }

    #[tokio::test]
    async fn a_lost_transaction_fails_for_all_who_were_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = writer(&path);
        let (first, lost, last) = tokio::join!(
            writer.write("t", insert(1)),
            // as SQLite does by itself when the disk is full
            writer.write("t", |db| db.execute_batch("ROLLBACK")),
            writer.write("t", insert(2)),
        );
        // they may have been in one commit or in several, but what was acknowledged is there and nothing else is
        let told: Vec<i64> =
            [(1, first.is_ok()), (2, last.is_ok())].into_iter().filter(|(_, ok)| *ok).map(|(n, _)| n).collect();
        assert!(lost.is_err());
        assert_eq!(rows(&path), told);
        assert!(writer.write("t", insert(3)).await.is_ok(), "it goes on");
    }

    #[tokio::test]
    async fn a_write_is_committed_although_its_caller_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = writer(&path);
        {
            let abandoned = writer.write("t", insert(1));
            tokio::pin!(abandoned);
            tokio::select! { biased; _ = &mut abandoned => {}, () = async {} => {} }
        }
        writer.write("t", insert(2)).await.unwrap();
        assert_eq!(rows(&path), [1, 2]);
    }

    #[tokio::test]
    async fn what_waits_is_done_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = writer(&path);
        for n in 0..500 {
            writer.write_later("t", move |db| insert(n)(db).map(|_| ()), |error| panic!("{error}"));
        }
        drop(writer);
        assert_eq!(rows(&path).len(), 500);
        assert_eq!(std::fs::metadata(path.with_extension("db-wal")).map_or(0, |wal| wal.len()), 0);
    }
}
