//! Wrapped data keys in SQLite: read page by page and replaced where they are.

use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::ports::error::PortError;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::sqlite::rows::Columns;
use crate::sqlite::{Sqlite, key_slots};

/// A table whose rows name slots.
#[derive(Clone, Copy)]
pub struct Held {
    pub port: &'static str,
    pub table: &'static str,
    /// The column of the record's id, and what tells several of one id apart.
    pub record: &'static str,
    pub part: &'static str,
}

impl Sqlite {
    /// Keys in the order in which their rows came.
    pub(super) fn keys_of(&self, held: Held, after: Option<&str>, limit: u32) -> Result<KeyPage, PortError> {
        let Held { port, table, record, part } = held;
        let behind = match after.map(str::parse::<i64>) {
            None => i64::MIN,
            Some(place) => place.map_err(|error| PortError::new(port, error))?,
        };
        self.readers.read(port, |db| {
            let sql = format!(
                "SELECT {table}.rowid, realm, {record}, {part}, wrapped FROM {table} JOIN keys ON slot = key_slot \
                 WHERE {table}.rowid > ?1 ORDER BY {table}.rowid LIMIT ?2"
            );
            let (mut keys, mut last) = (Vec::new(), None);
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query((behind, limit))?;
            while let Some(row) = rows.next()? {
                let mut columns = Columns::of(row);
                last = Some(columns.value::<i64>()?);
                keys.push(StoredDataKey {
                    realm: columns.realm()?,
                    record: columns.id()?,
                    part: columns.value()?,
                    key: columns.key()?,
                });
            }
            let full = keys.len() == usize::try_from(limit).unwrap_or(usize::MAX);
            Ok(KeyPage { keys, behind: last.filter(|_| full).map(|last| last.to_string()) })
        })
    }

    /// In one commit, each only where the one that was seen still is.
    pub(super) async fn swap_keys_of(&self, held: Held, swaps: Vec<KeyReplacement>) -> Result<u64, PortError> {
        let write =
            move |db: &Connection| swaps.iter().try_fold(0, |put, swap| Ok(put + u64::from(swap_key(db, held, swap)?)));
        self.writer.write(held.port, write).await
    }
}

fn swap_key(db: &Connection, held: Held, KeyReplacement { seen, fresh }: &KeyReplacement) -> rusqlite::Result<bool> {
    let Held { table, record, part, .. } = held;
    let which = format!("realm = ?1 AND {record} = ?2 AND {part} = ?3");
    let sql = format!("SELECT key_slot, wrapped FROM {table} JOIN keys ON slot = key_slot WHERE {which}");
    let who = params![seen.realm.as_str(), seen.record, seen.part];
    let mut statement = db.prepare_cached(&sql)?;
    let stored =
        statement.query_row(who, |row| Ok((row.get(0)?, key_slots::read(row.get_ref(1)?.as_blob()?)))).optional()?;
    let Some((slot, _)) = stored.filter(|(_, stored)| stored.as_ref() == Some(&seen.key)) else { return Ok(false) };
    let now_in = key_slots::replace(db, slot, fresh)?;
    if now_in != slot {
        let sql = format!("UPDATE {table} SET key_slot = ?4 WHERE {which}");
        let who = params![seen.realm.as_str(), seen.record, seen.part, now_in];
        db.prepare_cached(&sql)?.execute(who)?;
    }
    Ok(true)
}
