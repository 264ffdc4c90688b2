//! A connection with the keys of the MACs: rows are signed where they are written and verified where they are read.

use std::ops::Deref;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use crate::crypto::record_macs::{Authenticated, RecordMacs, Stored};
use crate::sqlite::rows::unreadable;

/// A connection with the keys of the MACs.
pub struct Db {
    connection: Connection,
    pub macs: Arc<RecordMacs>,
}

impl Deref for Db {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Db {
    pub const fn new(connection: Connection, macs: Arc<RecordMacs>) -> Self {
        Self { connection, macs }
    }

    /// The row that a statement finds, verified.
    pub fn find<R: Authenticated>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<Stored<R>>,
    ) -> rusqlite::Result<Option<R>> {
        let found = self.prepare_cached(sql)?.query_row(params, read).optional()?;
        found.map(|stored| self.verify(stored)).transpose()
    }

    /// The same for a row that is looked up by its name: an index of the file can lead to another row.
    pub fn find_named<R: Authenticated>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<Stored<R>>,
        is_asked_for: impl FnOnce(&R) -> bool,
    ) -> rusqlite::Result<Option<R>> {
        let found = self.find(sql, params, read)?;
        let expected = found.map(|found| self.macs.expect(found, is_asked_for)).transpose();
        expected.map_err(|refused| unreadable(0, &refused.to_string()))
    }

    /// All rows that a statement finds, without those that do not verify.
    pub fn find_all<R: Authenticated>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<Stored<R>>,
    ) -> rusqlite::Result<Vec<R>> {
        let mut statement = self.prepare_cached(sql)?;
        let found = statement.query_map(params, read)?;
        let verified = found.map(|stored| stored.map(|stored| stored.verified(&self.macs).ok()));
        verified.filter_map(Result::transpose).collect()
    }

    pub fn verify<R: Authenticated>(&self, stored: Stored<R>) -> rusqlite::Result<R> {
        stored.verified(&self.macs).map_err(|refused| unreadable(0, &refused.to_string()))
    }

    pub fn sign<R: Authenticated>(&self, record: &R) -> Vec<u8> {
        self.macs.sign(record)
    }
}
