//! A copy of the database, beside a server that may be running on it: the state of one moment, page by page.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::crypto::record_macs::RecordMacs;
use crate::sqlite::Sqlite;
use crate::sqlite::open::{self, OpenError, explain, explain_io};

/// Pages that are copied between two reports of the progress.
const PAGES: i32 = 4096;

/// The files of a database: SQLite's own.
const DATA: [&str; 3] = ["", "-wal", "-shm"];
/// The file that keeps other processes away.
const LOCK: &str = ".lock";

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates a file that this user alone can read.
///
/// # Errors
/// When it exists, or can't be made.
pub fn create_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Removes a database with its log files and its lock, where they exist: the lock last.
///
/// # Errors
/// When one can't be removed.
pub fn remove(path: &Path) -> std::io::Result<()> {
    remove_data(path)?;
    remove_file(&beside(path, LOCK))
}

/// Removes a database and leaves its lock.
///
/// # Errors
/// When a file can't be removed.
pub fn remove_data(path: &Path) -> std::io::Result<()> {
    DATA.iter().try_for_each(|suffix| remove_file(&beside(path, suffix)))
}

fn remove_file(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a database, or a log that SQLite would add to one of that name, is there.
#[must_use]
pub fn is_occupied(path: &Path) -> bool {
    ["", "-wal"].iter().any(|suffix| fs::metadata(beside(path, suffix)).is_ok_and(|file| file.len() > 0))
}

/// Keeps servers away from a database file while it is held. Makes the folder where it is missing.
///
/// # Errors
/// If a server has it.
pub fn lock(path: &Path) -> Result<File, OpenError> {
    open::lock_file(path)
}

/// Copies the database into a new file of mode 0600: the state of one moment. Writers go on meanwhile; a write that erases
/// may wait for up to two seconds while the copy is read. Reports the pages that are copied and all of them.
///
/// # Errors
/// The problem with one of the two files.
pub fn copy(from: &Path, to: &Path, on_step: &dyn Fn(u64, u64)) -> Result<(), OpenError> {
    let file = create_private(to).map_err(|source| explain_io(to, source))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags).map_err(|source| explain(from, source))?;
    let read = |sql: &str| source.execute_batch(sql).map_err(|error| explain(from, error));
    // an open transaction holds the state of one moment: without it, the copy would start again after each write
    read("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000; BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let mut target = Connection::open_with_flags(to, flags).map_err(|source| explain(to, source))?;
    {
        let backup = Backup::new(&source, &mut target).map_err(|source| explain(to, source))?;
        loop {
            let step = backup.step(PAGES).map_err(|source| explain(to, source))?;
            let progress = backup.progress();
            let [all, left] = [progress.pagecount, progress.remaining].map(|pages| u64::try_from(pages).unwrap_or(0));
            on_step(all.saturating_sub(left), all);
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => return Err(OpenError::Locked { path: from.to_owned(), process: None }),
            }
        }
    }
    read("ROLLBACK")?;
    drop(target);
    file.sync_all().map_err(|source| explain_io(to, source))
}

/// Reads every page of a file that no server uses, and every index.
///
/// # Errors
/// If it is damaged, or no database of Portcullis.
pub fn check(path: &Path) -> Result<(), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |source| explain(path, source);
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.to_owned() }) }
}

impl Sqlite {
    /// Opens a copy that no server uses, to read it.
    ///
    /// # Errors
    /// The problem with the file, with the fix.
    pub fn open_copy(path: &Path, macs: &Arc<RecordMacs>) -> Result<Self, OpenError> {
        Self::on(path, open::beside(path)?, macs)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use portcullis_core::model::stored_record::Collection;
    use portcullis_core::ports::data_migration_store::MigratableStore as _;
    use portcullis_core::ports::database::{Change, Database as _, UnitOfWork};
    use portcullis_testkit::samples::{realm, user};

    use super::*;

    fn macs() -> Arc<RecordMacs> {
        RecordMacs::new(&[(1, [1; 32])]).unwrap()
    }

    fn insert(n: u64) -> UnitOfWork {
        UnitOfWork::of(Change::InsertUser(Box::new(user(&realm("User1"), n))))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_is_the_state_of_one_moment_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let (path, to) = (folder.path().join("p.db"), folder.path().join("copy.db"));
        let store = Sqlite::open(&path, &macs()).unwrap();
        for n in 0..50 {
            store.commit(insert(n)).await.unwrap().unwrap();
        }
        // pages enough for several steps
        let large = Connection::open(&path).unwrap();
        large.execute_batch("CREATE TABLE large AS SELECT zeroblob(50000000) AS x").unwrap();
        let (runtime, steps) = (tokio::runtime::Handle::current(), AtomicUsize::new(0));
        let on_step = |_, _| {
            let n = 100 + steps.fetch_add(1, Ordering::SeqCst) as u64;
            // a write of the server, on its own connection, between two steps
            tokio::task::block_in_place(|| runtime.block_on(store.commit(insert(n)))).unwrap().unwrap();
        };
        copy(&path, &to, &on_step).unwrap();
        let steps = steps.load(Ordering::SeqCst);
        assert!((2..20).contains(&steps), "{steps} steps: it has to come to its end although others write");
        check(&to).unwrap();
        let copied = Sqlite::open_copy(&to, &macs()).unwrap();
        assert_eq!(copied.count(Collection::Users).await.unwrap(), 50);
        assert_eq!(store.count(Collection::Users).await.unwrap(), 50 + steps as u64);
        drop(copied);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(!left.contains(&"copy.db-wal".into()), "{left:?}");
        assert!(matches!(copy(&path, &to, &|_, _| {}), Err(OpenError::Io { .. })), "it is not overwritten");
    }

    #[test]
    fn a_damaged_copy_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        drop(Sqlite::open(&path, &macs()).unwrap());
        check(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 5000].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(check(&path), Err(OpenError::Damaged { .. })));
    }

    #[test]
    fn a_log_that_is_left_alone_occupies_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        assert!(!is_occupied(&path));
        fs::write(&path, "").unwrap();
        assert!(!is_occupied(&path));
        fs::write(beside(&path, "-wal"), "x").unwrap();
        assert!(is_occupied(&path));
    }
}
