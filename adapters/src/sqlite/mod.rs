//! The ports on SQLite, in one file. One thread writes, several units of work per commit, and completes them once they
//! are on the disk; other connections read concurrently. One file per port, all of them on [`Sqlite`].

mod audit_chain_store;
mod audit_log;
pub mod backup;
mod check_value_store;
mod credential_store;
mod data_migration_store;
mod database;
mod db;
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
mod signing;
#[cfg(test)]
mod tests;
mod undo_store;
mod user_store;
mod webhook_store;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use tokio::sync::Notify;

pub use open::OpenError;

use crate::crypto::record_macs::RecordMacs;
use crate::limits::Buckets;
use crate::sqlite::db::Db;
use crate::sqlite::readers::Readers;
use crate::sqlite::writer::Writer;

/// The most records of one write of housekeeping, so that other writes get in between.
const PURGE_BATCH: u32 = 500;

/// The store. Every completed write is on the disk.
pub struct Sqlite {
    // dropped in this order: the readers first, so that the writer can checkpoint the log; the lock last
    readers: Readers,
    writer: Writer,
    buckets: Buckets,
    enqueued: Notify,
    lost_events: Arc<AtomicU64>,
    schema_version: u32,
    _lock: Option<File>,
}

impl Sqlite {
    /// Opens the database, creates it if there is none, and migrates it to this version's schema.
    ///
    /// # Errors
    /// The problem with the file, with the fix.
    pub fn open(path: &Path, macs: &Arc<RecordMacs>) -> Result<Self, OpenError> {
        let opened = open::open(path)?;
        job_queue::release_leases(&opened.connection).map_err(|source| open::explain(path, source))?;
        Self::on(path, opened, macs)
    }

    /// Opens an existing database of this version's schema, beside a server that may be running on it. For the command
    /// line.
    ///
    /// # Errors
    /// The problem with the file, with the fix.
    pub fn open_beside(path: &Path, macs: &Arc<RecordMacs>) -> Result<Self, OpenError> {
        Self::on(path, open::beside(path)?, macs)
    }

    fn on(path: &Path, opened: open::Opened, macs: &Arc<RecordMacs>) -> Result<Self, OpenError> {
        let failed = |source| open::explain(path, source);
        let readers = Readers::open(path, macs).map_err(failed)?;
        Ok(Self {
            readers,
            writer: Writer::start(Db::new(opened.connection, macs.clone()))
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
            let write = move |db: &Db| db.prepare_cached(sql)?.execute((now.as_millis(), PURGE_BATCH));
            let removed = self.writer.write(port, write).await?;
            purged += removed as u64;
            if removed < PURGE_BATCH as usize {
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
