//! The embedded store: SQLite in one file. One thread writes, many changes to a commit, and answers once they are
//! on the disk; readers stand beside it. A port a file, all of them on [`Sqlite`].

mod audit_log;
mod check_value_store;
mod data_migration_store;
mod database;
mod job_queue;
mod key_rotation_store;
mod key_slots;
mod login_guard;
mod one_time_token_store;
mod open;
mod rate_limiter;
mod readers;
mod registration_store;
mod row_mapping;
mod rows;
mod sent_message_store;
mod session_store;
#[cfg(test)]
mod tests;
mod user_store;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use rusqlite::Connection;
use tokio::sync::Notify;

pub use open::OpenError;

use crate::limits::Buckets;
use crate::sqlite::readers::Readers;
use crate::sqlite::writer::Writer;

/// Most records that go in one change of housekeeping, so that others get in between.
const PURGED: u32 = 500;

/// The store. Everything it answered with success is on the disk.
pub struct Sqlite {
    // dropped in this order: the readers first, so that the writer can fold the log into the file, then what reads its
    // index, the lock last
    readers: Readers,
    writer: Writer,
    buckets: Buckets,
    enqueued: Notify,
    lost_events: Arc<AtomicU64>,
    schema_version: u32,
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens the database, makes it where there is none, and brings it to this version's schema.
    ///
    /// # Errors
    /// What is wrong with the file, and the mend.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open::open(path)?;
        job_queue::release_leases(&opened.connection).map_err(|source| open::explain(path, source))?;
        Self::on(path, opened)
    }

    /// Opens a database that is there and of this version's schema, beside a server that may be running on it: for the
    /// command line, for a look or a single change.
    ///
    /// # Errors
    /// What is wrong with the file, and the mend.
    pub fn open_beside(path: &Path) -> Result<Self, OpenError> {
        Self::on(path, open::beside(path)?)
    }

    fn on(path: &Path, opened: open::Opened) -> Result<Self, OpenError> {
        let failed = |source| open::explain(path, source);
        let readers = Readers::open(path).map_err(failed)?;
        Ok(Self {
            readers,
            writer: Writer::start(opened.connection)
                .map_err(|source| OpenError::Io { path: path.to_owned(), source })?,
            buckets: Buckets::default(),
            enqueued: Notify::new(),
            lost_events: Arc::default(),
            schema_version: opened.schema_version,
            _lock: opened.lock,
        })
    }

    /// The version of the schema.
    #[must_use]
    pub const fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// How many bytes it holds.
    ///
    /// # Errors
    /// When the database fails.
    pub fn size(&self) -> Result<u64, PortError> {
        let pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        self.readers.read("checks", |db| db.query_row(pages, [], |row| rows::Columns::of(row).number()))
    }

    /// How many events the audit log could not take since the start.
    #[must_use]
    pub fn lost_events(&self) -> Arc<AtomicU64> {
        self.lost_events.clone()
    }

    /// Housekeeping: removes what expired by `now`, a few at a time, by a statement that is given `now` and how many.
    async fn purge(&self, port: &'static str, sql: &'static str, now: Timestamp) -> Result<u64, PortError> {
        let mut purged = 0;
        loop {
            let write = move |db: &Connection| db.prepare_cached(sql)?.execute((now.as_millis(), PURGED));
            let removed = self.writer.write(port, write).await?;
            purged += removed as u64;
            if removed < PURGED as usize {
                break;
            }
        }
        if purged > 0 {
            // it leaves the log too
            self.writer.erase(port, |_| Ok(())).await?;
        }
        Ok(purged)
    }
}
