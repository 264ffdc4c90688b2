//! Read-only connections, used on the caller's thread: a lookup by key takes about ten microseconds, less than handing it
//! to another thread. They see every completed write.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use portcullis_core::ports::error::PortError;
use rusqlite::{Connection, OpenFlags};

use crate::crypto::record_macs::RecordMacs;
use crate::sqlite::db::Db;
use crate::sqlite::open::disable_replanning;
use crate::trace_spans;

const READERS: usize = 4;

/// The connections.
pub struct Readers {
    connections: Vec<Mutex<Db>>,
    next: AtomicUsize,
}

impl Readers {
    /// Opens them.
    pub fn open(path: &Path, macs: &Arc<RecordMacs>) -> rusqlite::Result<Self> {
        let open = |_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection
                .execute_batch("PRAGMA query_only = ON; PRAGMA busy_timeout = 700; PRAGMA cache_size = -1024;")?;
            disable_replanning(&connection)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(Mutex::new(Db::new(connection, macs.clone())))
        };
        let connections = (0..READERS).map(open).collect::<rusqlite::Result<_>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Runs a query on a free connection, or waits for one.
    pub fn read<T>(&self, port: &'static str, query: impl FnOnce(&Db) -> rusqlite::Result<T>) -> Result<T, PortError> {
        let _span = trace_spans::store(port, "read").entered();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let mut free = None;
        for offset in 0..self.connections.len() {
            let Some(connection) = self.connections.get((start + offset) % self.connections.len()) else { continue };
            match connection.try_lock() {
                Ok(guard) => free = Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => free = Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => continue,
            }
            break;
        }
        let connection = match free {
            Some(connection) => connection,
            None => self
                .connections
                .get(start % self.connections.len())
                .ok_or_else(|| PortError::new(port, "the store has no readers"))?
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        };
        query(&connection).map_err(|error| PortError::new(port, error))
    }
}
