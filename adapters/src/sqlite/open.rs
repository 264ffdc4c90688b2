//! Opens the database file. Each way in which it can be unusable has a message with the file and the fix.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// "Port" in ASCII: marks a SQLite file as one of Portcullis.
const APPLICATION_ID: i64 = 0x506f_7274;
/// The schema migrations, in order. A released one is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    include_str!("migrations/0007.sql"),
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
    include_str!("migrations/0012.sql"),
    include_str!("migrations/0013.sql"),
    include_str!("migrations/0014.sql"),
    include_str!("migrations/0015.sql"),
];
/// `synchronous = FULL`: a completed commit is on the disk. `secure_delete`: erased bytes are not.
const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA busy_timeout = 700;
                       PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;";
/// Files up to this size are checked for damage at the start; a larger file would make the start slow.
const INTEGRITY_CHECK_MAX_BYTES: u64 = 4 << 20;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written to.
    #[error("{}: the folder cannot be used: {source}. Fix: make it writable for this user, or set DATABASE_URL to another place", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something else of the operating system.
    #[error("{}: {source}. Fix: make the file readable and writable for this user, or set DATABASE_URL to another place", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A folder where a file should be.
    #[error("{} is a folder. Fix: name a file in it, as in sqlite://{}/portcullis.db", path.display(), path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{} is in use by another Portcullis process{}. Fix: stop that one, or set DATABASE_URL to another file", path.display(), number(*process))]
    Locked {
        /// The file.
        path: PathBuf,
        /// Its number, where it left one.
        process: Option<u32>,
    },
    /// Not SQLite, or damaged.
    #[error("{} is damaged or not a database. Fix: restore it from a backup, or move it away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A database of some other program.
    #[error("{} is a database of another program. Fix: set DATABASE_URL to a file of its own", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("{} has schema {found}, this version knows {known}. Fix: run the version that wrote it, or a later one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema this version knows.
        known: u32,
    },
    /// It may be read but not written.
    #[error("{} cannot be written. Fix: make the file, its -wal and -shm and their folder writable for this user, or set DATABASE_URL to another place", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No room.
    #[error("{}: the disk is full. Fix: make room, or set DATABASE_URL to a file on another disk", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A write-ahead log cannot live there.
    #[error("{} is on a file system without shared memory, so it cannot keep a write-ahead log. Fix: set DATABASE_URL to a file on a local disk", path.display())]
    NoLog {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{}: {source}. Fix: see whether the disk works, or set DATABASE_URL to another place", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
}

fn number(process: Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}

/// An open database, at this version's schema.
#[derive(Debug)]
pub struct Opened {
    pub connection: Connection,
    pub schema_version: u32,
    /// `None` beside a process that has it.
    pub lock: Option<File>,
}

/// Locks the file against servers, whether it exists or not. Makes its folder.
pub fn lock_file(path: &Path) -> Result<File, OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    if path.is_dir() {
        return Err(OpenError::IsFolder { path: path.to_owned() });
    }
    lock(path, folder)
}

/// Opens the file for writing.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let lock = lock_file(path)?;
    // created here, so that only this user can read it; SQLite gives the log files the same mode
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| explain_io(path, source))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|source| explain(path, source))?;
    let schema_version = prepare(path, &mut connection)?;
    Ok(Opened { connection, schema_version, lock: Some(lock) })
}

/// Opens an existing file, beside a server that may be running on it. Creates nothing and does not migrate the schema.
pub fn beside(path: &Path) -> Result<Opened, OpenError> {
    let failed = |source| explain(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let (application, found) = file_identity(&connection).map_err(failed)?;
    if application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found != known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    set_up(&connection).map_err(failed)?;
    Ok(Opened { connection, schema_version: known, lock: None })
}

/// Configures a connection that writes.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(PRAGMAS)?;
    disable_replanning(connection)
}

/// Plans a statement when it is prepared, not again for each set of bound values: planning costs twenty times as much as
/// a lookup by key.
pub fn disable_replanning(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// The application id and the schema version of a file.
fn file_identity(connection: &Connection) -> rusqlite::Result<(i64, u32)> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    Ok((pragma("application_id")?, u32::try_from(pragma("user_version")?).unwrap_or(u32::MAX)))
}

/// Locks the file: a second process would not see the rate limits and wake-ups of the first.
fn lock(path: &Path, folder: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(name);
    let mut file = file.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
    match file.try_lock() {
        Ok(()) => {
            // the number is for the error message of the next process
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            Err(OpenError::Locked { path: path.to_owned(), process: text.trim().parse().ok() })
        }
        Err(TryLockError::Error(source)) => Err(explain_io(path, source)),
    }
}

/// An error of a file, for the operator.
pub fn explain_io(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::DiskFull { path },
        _ => OpenError::Io { path, source },
    }
}

/// An error of SQLite, for the operator.
pub fn explain(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path, process: None },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => OpenError::ReadOnly { path },
        Some(ErrorCode::DiskFull) => OpenError::DiskFull { path },
        _ => OpenError::Sqlite { path, source },
    }
}

fn prepare(path: &Path, connection: &mut Connection) -> Result<u32, OpenError> {
    let failed = |source| explain(path, source);
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let (application, found) = file_identity(connection).map_err(failed)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    integrity_check(path, connection)?;
    set_up(connection).map_err(failed)?;
    let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::NoLog { path: path.to_owned() });
    }
    if found < known {
        migrate(connection, found, known).map_err(failed)?;
    }
    Ok(known)
}

/// Applies all missing migrations, or none.
fn migrate(connection: &mut Connection, found: u32, known: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()
}

fn integrity_check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|file| file.len() > INTEGRITY_CHECK_MAX_BYTES) {
        return Ok(());
    }
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    if verdict.map_err(|source| explain(path, source))? == "ok" {
        Ok(())
    } else {
        Err(OpenError::Damaged { path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        open(path).expect_err("refused").to_string()
    }

    #[test]
    fn every_unusable_file_has_its_own_message() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("text.db"), "this is no database, whatever its name says. ".repeat(100)).unwrap();
        assert!(refused(&at("text.db")).contains("damaged or not a database"));
        Connection::open(at("other.db")).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(refused(&at("other.db")).contains("another program"));
        let marked = Connection::open(at("marked.db")).unwrap();
        marked.pragma_update(None, "application_id", 1234).unwrap();
        drop(marked);
        assert!(refused(&at("marked.db")).contains("another program"));
        let first = open(&at("ours.db")).unwrap();
        let locked = format!("in use by another Portcullis process (process {})", std::process::id());
        assert!(refused(&at("ours.db")).contains(&locked));
        first.connection.pragma_update(None, "user_version", 99).unwrap();
        drop(first);
        assert!(refused(&at("ours.db")).contains("schema 99"));
        fs::create_dir(at("folder.db")).unwrap();
        assert!(refused(&at("folder.db")).contains("is a folder"));
        assert!(refused(&at("text.db/below/x.db")).contains("folder cannot be used"));
    }

    #[test]
    fn damage_further_in_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        drop(open(&path).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        assert!(refused(&path).contains("damaged or not a database"));
    }

    #[test]
    fn errors_of_sqlite_have_readable_messages() {
        let told = |code| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            explain(Path::new("/data/p.db"), error).to_string()
        };
        assert!(told(rusqlite::ffi::SQLITE_FULL).contains("/data/p.db: the disk is full. Fix: make room"));
        assert!(told(rusqlite::ffi::SQLITE_READONLY).contains("cannot be written. Fix: make the file"));
        assert!(told(rusqlite::ffi::SQLITE_CANTOPEN).contains("cannot be written"));
        assert!(told(rusqlite::ffi::SQLITE_CORRUPT).contains("damaged"));
        assert!(told(rusqlite::ffi::SQLITE_BUSY).contains("in use by another"));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(explain_io(Path::new("/data/p.db"), full).to_string().contains("disk is full"));
    }

    #[test]
    fn the_second_schema_becomes_the_newest_with_all_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        let old = Connection::open(&path).unwrap();
        MIGRATIONS.iter().take(2).for_each(|step| old.execute_batch(step).unwrap());
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 2).unwrap();
        old.execute_batch(
            "INSERT INTO keys VALUES (1, 0, 4, x'00000000'), (2, 0, 4, x'00000000');
             INSERT INTO users VALUES ('User1', x'01', x'02', 1, x'03', x'04', x'05', x'06', x'07', x'08', NULL, NULL,
                 NULL, '$argon2id$x', 1, 0, 0, 4, 5, 6, 7);
             INSERT INTO registrations VALUES ('User1', x'09', x'02', 2, x'03', x'04', x'05', x'06', x'07', x'08',
                 '$argon2id$y', 1, 2, x'0a', 1, 3);",
        )
        .unwrap();
        drop(old);
        let new = open(&path).unwrap();
        assert_eq!(new.schema_version, 15);
        let text = |sql: &str| new.connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        let user = "SELECT hex(id) || hex(password) || phone_verified || credentials_version || updated_at FROM users";
        assert_eq!(text(user), format!("01{}147", hex::encode_upper("$argon2id$x")));
        let waiting = "SELECT hex(id) || hex(password) || hex(network) || contested || failures FROM registrations";
        assert_eq!(text(waiting), format!("09{}0A13", hex::encode_upper("$argon2id$y")));
        new.connection.execute_batch("DELETE FROM users; DELETE FROM registrations").unwrap();
        assert_eq!(text("SELECT CAST(sum(free) AS TEXT) FROM keys"), "2", "the keys are overwritten still");
    }

    #[test]
    fn opening_again_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        let first = open(&path).unwrap();
        first.connection.execute("INSERT INTO checks VALUES ('a', x'01')", []).unwrap();
        let version = first.schema_version;
        drop(first);
        let before = fs::read(&path).unwrap();
        let second = open(&path).unwrap();
        let kept: i64 = second.connection.query_row("SELECT count(*) FROM checks", [], |row| row.get(0)).unwrap();
        assert_eq!((second.schema_version, kept), (version, 1));
        drop(second);
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn only_its_user_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/portcullis.db");
        let opened = open(&path).unwrap();
        for name in ["portcullis.db", "portcullis.db-wal", "portcullis.db-shm", "portcullis.db.lock"] {
            let mode = fs::metadata(path.with_file_name(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        drop(opened);
    }
}
