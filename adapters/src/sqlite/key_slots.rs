//! Wrapped keys, each in a slot of its own. SQLite overwrites what it deletes (`secure_delete`), but where it splits or
//! joins pages it leaves copies of rows behind in the unused part of a page: of deleted keys kept in rows, one in two
//! hundred could still be read in the file. So a key never moves: slots are only appended, keep their size and are
//! overwritten where they are. Deleting a row that names a slot frees it, by a trigger.

use portcullis_core::model::sealed::WrappedKey;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Sizes of slots are multiples of this, so that a freed one fits the next key.
const GRAIN: u32 = 64;
/// Bytes that say how long the key is.
const LENGTH: u32 = 4;

/// Longest key, far beyond any cipher's, in bytes.
const MAX_LENGTH: u32 = 1 << 20;

/// Stores a key in a free slot, or in a new one. Returns the slot.
pub fn insert(db: &Connection, key: &WrappedKey) -> rusqlite::Result<i64> {
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

/// Overwrites the key of a slot. Returns the slot that has the key: another one if the size differs.
pub fn replace(db: &Connection, slot: i64, key: &WrappedKey) -> rusqlite::Result<i64> {
    let (size, content) = padded(key)?;
    let sql = "UPDATE keys SET wrapped = ?3 WHERE slot = ?1 AND size = ?2";
    if db.prepare_cached(sql)?.execute(params![slot, size, content])? == 1 {
        return Ok(slot);
    }
    db.prepare_cached("UPDATE keys SET free = 1, wrapped = zeroblob(size) WHERE slot = ?1")?.execute([slot])?;
    insert(db, key)
}

/// The key in a slot.
pub fn read(content: &[u8]) -> Option<WrappedKey> {
    let (length, rest) = content.split_first_chunk::<{ LENGTH as usize }>()?;
    let key = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some(WrappedKey::from_bytes(key.to_vec()))
}

/// The content of a slot and its size.
fn padded(key: &WrappedKey) -> rusqlite::Result<(u32, Vec<u8>)> {
    let length = u32::try_from(key.as_bytes().len()).ok().filter(|length| *length <= MAX_LENGTH);
    let length = length.ok_or_else(|| rusqlite::Error::ToSqlConversionFailure("a wrapped key is too long".into()))?;
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
    fn a_key_of_any_length_is_read_as_it_was_written() {
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
