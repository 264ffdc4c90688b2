//! The thread that writes. It commits all requests that wait, up to a bound, in one transaction, each in a savepoint of
//! its own, and completes them after the commit is on the disk: one fsync for many. Dropping the future does not cancel
//! a write: it may still commit. A request that fails or panics is undone alone.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::sqlite::db::Db;
use crate::trace_spans;
use portcullis_core::ports::error::PortError;
use rusqlite::ErrorCode;
use tokio::sync::oneshot;
use tracing::Instrument as _;

/// How long a caller waits for the disk. After that the write may still commit.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most requests in a commit.
const MAX_BATCH: usize = 128;
/// The most requests that wait; more are refused.
const QUEUE_CAPACITY: usize = 4096;
/// Readers delay a checkpoint; each attempt waits as long as the connection's busy timeout.
const CHECKPOINT_ATTEMPTS: u32 = 3;

type Failure = Box<dyn Error + Send + Sync>;
/// The work of a request. It gets the connection, or the reason why there is no transaction.
type Work = Box<dyn FnOnce(Result<&Db, String>) -> Completion + Send>;
/// Answers the caller, with the outcome of the commit.
type Completion = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Why the disk took no write; `None` while it does.
type DiskFailure = Arc<Mutex<Option<&'static str>>>;

struct WriteRequest {
    work: Work,
    /// Whether the log is checkpointed before the request completes, so that no file has the erased bytes any more.
    erases: bool,
}

/// Hands requests to the thread.
pub struct Writer {
    requests: Option<SyncSender<WriteRequest>>,
    thread: Option<JoinHandle<()>>,
    disk_failure: DiskFailure,
}

impl Writer {
    /// Starts the thread.
    pub fn start(connection: Db) -> std::io::Result<Self> {
        let (requests, received) = mpsc::sync_channel(QUEUE_CAPACITY);
        let disk_failure = DiskFailure::default();
        let noted = disk_failure.clone();
        let work = move || run(&connection, &received, &noted);
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(work)?;
        Ok(Self { requests: Some(requests), thread: Some(thread), disk_failure })
    }

    /// Whether the disk takes writes. After one that failed it is tried again by a small one.
    ///
    /// # Errors
    /// Why it does not, as in "the disk is full".
    pub async fn check_disk(&self, port: &'static str) -> Result<(), PortError> {
        let failure = || *self.disk_failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure().is_none() {
            return Ok(());
        }
        let small = self.write(port, |db| db.execute_batch("CREATE TABLE disk_check (x); DROP TABLE disk_check")).await;
        match small {
            Ok(()) => {
                *self.disk_failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
            Err(error) => Err(failure().map_or(error, |cause| PortError::new(port, cause))),
        }
    }

    /// Runs `write` in a transaction. Returns once it is on the disk; an error leaves nothing behind.
    pub async fn write<T: Send + 'static>(
        &self,
        port: &'static str,
        write: impl FnOnce(&Db) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.write_if(port, false, |_| true, write).await
    }

    /// The same for a write that erases. Returns once no file contains the erased data.
    pub async fn erase<T: Send + 'static>(
        &self,
        port: &'static str,
        write: impl FnOnce(&Db) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.write_if(port, true, |_| true, write).await
    }

    /// The same for a write that may be refused. A refusal undoes it.
    pub async fn write_unless_refused<T: Send + 'static, R: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        write: impl FnOnce(&Db) -> rusqlite::Result<Result<T, R>> + Send + 'static,
    ) -> Result<Result<T, R>, PortError> {
        self.write_if(port, erases, Result::is_ok, write).await
    }

    /// Returns once every earlier request is on the disk.
    pub async fn flush(&self, port: &'static str) -> Result<(), PortError> {
        self.write(port, |_| Ok(())).await
    }

    /// Queues a write without waiting for it. `on_error` is called if it fails.
    pub fn write_later(
        &self,
        port: &'static str,
        write: impl FnOnce(&Db) -> rusqlite::Result<()> + Send + 'static,
        on_error: impl Fn(&PortError) + Clone + Send + 'static,
    ) {
        let failed_later = on_error.clone();
        let complete = move |outcome: Result<(), PortError>| {
            if let Err(error) = outcome {
                failed_later(&error);
            }
        };
        if let Err(error) = self.submit(port, false, |()| true, write, complete) {
            on_error(&error);
        }
    }

    /// Runs a write, and undoes it unless `keeps` its outcome.
    async fn write_if<T: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        keeps: fn(&T) -> bool,
        write: impl FnOnce(&Db) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let (complete, outcome) = oneshot::channel();
        self.submit(port, erases, keeps, write, move |outcome| {
            // the caller may be gone
            let _ = complete.send(outcome);
        })?;
        let outcome = tokio::time::timeout(TIMEOUT, outcome).instrument(trace_spans::store(port, "write")).await;
        outcome.map_err(|_| PortError::new(port, "the disk did not answer in time"))?.map_err(|_| closed(port))?
    }

    fn submit<T: Send + 'static>(
        &self,
        port: &'static str,
        erases: bool,
        keeps: fn(&T) -> bool,
        write: impl FnOnce(&Db) -> rusqlite::Result<T> + Send + 'static,
        complete: impl FnOnce(Result<T, PortError>) + Send + 'static,
    ) -> Result<(), PortError> {
        let disk_failure = self.disk_failure.clone();
        let work: Work = Box::new(move |connection| {
            let outcome =
                connection.map_err(Failure::from).and_then(|connection| in_savepoint(connection, keeps, write));
            if let Some(error) = outcome.as_ref().err().and_then(|error| error.downcast_ref()) {
                note_disk_failure(&disk_failure, error);
            }
            Box::new(move |committed: Result<(), String>| {
                let outcome = outcome.and_then(|value| committed.map(|()| value).map_err(Failure::from));
                complete(outcome.map_err(|error| PortError::new(port, error)));
            })
        });
        let requests = self.requests.as_ref().ok_or_else(|| closed(port))?;
        requests.try_send(WriteRequest { work, erases }).map_err(|refused| match refused {
            TrySendError::Full(_) => PortError::new(port, "too many writes are waiting for the disk"),
            TrySendError::Disconnected(_) => closed(port),
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // the thread finishes what waits, then sees that nothing can be sent any more
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closed(port: &'static str) -> PortError {
    PortError::new(port, "the store is closed")
}

/// Runs a write in a savepoint. One that fails or panics is undone alone.
fn in_savepoint<T>(
    connection: &Db,
    keeps: fn(&T) -> bool,
    write: impl FnOnce(&Db) -> rusqlite::Result<T>,
) -> Result<T, Failure> {
    connection.prepare_cached("SAVEPOINT change")?.execute([])?;
    let outcome = match catch_unwind(AssertUnwindSafe(|| write(connection))) {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(_) => Err("the change panicked".into()),
    };
    // a full disk ends the whole transaction and its savepoints: the first error is the one to report
    if !connection.is_autocommit() {
        if !outcome.as_ref().is_ok_and(keeps) {
            connection.prepare_cached("ROLLBACK TO change")?.execute([])?;
        }
        connection.prepare_cached("RELEASE change")?.execute([])?;
    }
    outcome
}

/// Remembers an error that says that the disk takes no writes.
fn note_disk_failure(noted: &DiskFailure, error: &rusqlite::Error) {
    let cause = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "the database is read-only",
        Some(ErrorCode::SystemIoFailure) => "the disk fails (I/O error)",
        _ => return,
    };
    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
}

fn run(connection: &Db, requests: &Receiver<WriteRequest>, disk_failure: &DiskFailure) {
    connection.set_prepared_statement_cache_capacity(128);
    // whether the log still has erased bytes, because a reader prevented the checkpoint
    let mut checkpoint_pending = false;
    while let Ok(first) = requests.recv() {
        let mut batch = vec![first];
        batch.extend(requests.try_iter().take(MAX_BATCH - 1));
        checkpoint_pending |= batch.iter().any(|request| request.erases);
        let (completions, committed) = commit(connection, batch, disk_failure);
        if checkpoint_pending {
            checkpoint_pending = !checkpoint(connection);
        }
        for complete in completions {
            complete(committed.clone());
        }
    }
    checkpoint(connection);
}

/// Commits a batch in one transaction. Nothing is completed before the outcome of the commit is known.
fn commit(
    connection: &Db,
    batch: Vec<WriteRequest>,
    disk_failure: &DiskFailure,
) -> (Vec<Completion>, Result<(), String>) {
    let execute = |statement| {
        connection.execute_batch(statement).map_err(|error| {
            note_disk_failure(disk_failure, &error);
            error.to_string()
        })
    };
    let mut state = execute("BEGIN IMMEDIATE");
    let mut completions = Vec::with_capacity(batch.len());
    for request in batch {
        completions.push((request.work)(state.clone().map(|()| connection)));
        if state.is_ok() && connection.is_autocommit() {
            state = Err("the transaction was rolled back".to_owned());
        }
    }
    let committed = state.and_then(|()| execute("COMMIT"));
    if let Err(error) = &committed {
        tracing::error!(error, "a commit failed");
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    (completions, committed)
}

/// Moves the log into the database file and empties it. Whether it did: a reader in a transaction prevents it.
fn checkpoint(connection: &Db) -> bool {
    for _ in 0..CHECKPOINT_ATTEMPTS {
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if busy.is_ok_and(|busy| busy == 0) {
            return true;
        }
    }
    tracing::warn!("the log could not be checkpointed yet; the next write tries again");
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::record_macs::RecordMacs;
    use rusqlite::Connection;
    use std::path::Path;

    fn writer(path: &Path) -> Writer {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (n INTEGER UNIQUE)").unwrap();
        Writer::start(Db::new(connection, RecordMacs::new(&[(1, [1; 32])]).unwrap())).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Db) -> rusqlite::Result<usize> + Send {
        move |db| db.execute("INSERT INTO t VALUES (?1)", [n])
    }

    fn rows(path: &Path) -> Vec<i64> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT n FROM t ORDER BY n").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failing_or_panicking_write_does_not_affect_others() {
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
    async fn a_lost_transaction_fails_for_all_of_its_units() {
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
    async fn a_full_disk_is_told_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder.path().join("t.db"));
        let allow = async |pages: &'static str| {
            let limit = move |db: &Db| db.query_row(pages, [], |row| row.get::<_, i64>(0));
            writer.write("t", limit).await.unwrap();
        };
        assert!(writer.check_disk("t").await.is_ok());
        allow("PRAGMA max_page_count = 3").await;
        let large = |db: &Db| db.execute_batch("CREATE TABLE large AS SELECT randomblob(100000)");
        let refused = writer.write("t", large).await.unwrap_err();
        assert_eq!(refused.source.to_string(), "database or disk is full");
        assert_eq!(writer.check_disk("t").await.unwrap_err().source.to_string(), "the disk is full");
        allow("PRAGMA max_page_count = 1000").await;
        assert!(writer.check_disk("t").await.is_ok());
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
    async fn waiting_work_is_done_before_the_end() {
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
