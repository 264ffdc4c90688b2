//! Wrapped keys, each in a slot of its own. SQLite overwrites what it deletes (`secure_delete`), but where it splits or
//! joins pages it leaves copies of rows behind in the unused part of a page: of deleted keys kept in rows, one in two
//! hundred could still be read in the file. So a key never moves: slots are only appended, keep their size and are
//! overwritten where they are. Deleting a row that names a slot frees it, by a trigger.

use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::model::sealed::WrappedKey;
use portcullis_core::ports::error::PortError;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::embedded::Embedded;
use crate::embedded::rows::{Columns, unreadable};

/// Sizes of slots are multiples of this, so that a freed one fits the next key.
const GRAIN: u32 = 64;
/// Bytes that say how long the key is.
const LENGTH: u32 = 4;

/// Longest key, far beyond any cipher's.
const LONGEST: u32 = 1 << 20;

/// Keeps a key; where.
pub fn keep(db: &Connection, key: &WrappedKey) -> rusqlite::Result<i64> {
    let (size, content) = padded(key)?;
    let mut free = db.prepare_cached("SELECT slot FROM keys WHERE free = 1 AND size = ?1 LIMIT 1")?;
    if let Some(slot) = free.query_row([size], |row| row.get(0)).optional()? {
        let sql = "UPDATE keys SET free = 0, wrapped = ?2 WHERE slot = ?1";
        db.prepare_cached(sql)?.execute(params![slot, content])?;
        return Ok(slot);
    }
    let sql = "INSERT INTO keys (free, size, wrapped) VALUES (0, ?1, ?2)";
    db.prepare_cached(sql)?.execute(params![size, content])?;
    Ok(db.last_insert_rowid())
}

/// Puts a key where another one was; where it is then.
fn replace(db: &Connection, slot: i64, key: &WrappedKey) -> rusqlite::Result<i64> {
    let (size, content) = padded(key)?;
    let sql = "UPDATE keys SET wrapped = ?3 WHERE slot = ?1 AND size = ?2";
    if db.prepare_cached(sql)?.execute(params![slot, size, content])? == 1 {
        return Ok(slot);
    }
    db.prepare_cached("UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = ?1")?.execute([slot])?;
    keep(db, key)
}

/// A table whose rows name slots.
#[derive(Clone, Copy)]
pub struct Held {
    pub port: &'static str,
    pub table: &'static str,
    /// The column of the record's id, and what tells several of one id apart.
    pub record: &'static str,
    pub part: &'static str,
}

impl Embedded {
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
    let stored = statement.query_row(who, |row| Ok((row.get(0)?, read(row.get_ref(1)?.as_blob()?)))).optional()?;
    let Some((slot, _)) = stored.filter(|(_, stored)| stored.as_ref() == Some(&seen.key)) else { return Ok(false) };
    let now_in = replace(db, slot, fresh)?;
    if now_in != slot {
        let sql = format!("UPDATE {table} SET key_slot = ?4 WHERE {which}");
        let who = params![seen.realm.as_str(), seen.record, seen.part, now_in];
        db.prepare_cached(&sql)?.execute(who)?;
    }
    Ok(true)
}

/// The key in a slot.
pub fn read(content: &[u8]) -> Option<WrappedKey> {
    let (length, rest) = content.split_first_chunk::<{ LENGTH as usize }>()?;
    let key = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(WrappedKey::from_bytes(key.to_vec()))
}

/// What goes into a slot, with its size in front.
fn padded(key: &WrappedKey) -> rusqlite::Result<(u32, Vec<u8>)> {
    let length = u32::try_from(key.as_bytes().len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| unreadable(0, "a wrapped key is too long"))?;
    let mut content = length.to_be_bytes().to_vec();
    content.extend(key.as_bytes());
    let size = (length + LENGTH).next_multiple_of(GRAIN);
    content.resize(size as usize, 0);
    Ok((size, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_any_length_comes_back() {
        for length in [0, 1, 59, 60, 61, 64, 70_000] {
            let key = WrappedKey::from_bytes(vec![7; length]);
            let (size, content) = padded(&key).unwrap();
            assert_eq!((content.len(), size % GRAIN), (size as usize, 0));
            assert_eq!(read(&content), Some(key));
        }
        assert_eq!(read(&[0]), None);
        assert_eq!(read(&[0, 0, 0, 9, 1]), None);
    }
}
