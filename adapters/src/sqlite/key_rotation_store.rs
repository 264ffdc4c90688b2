//! [`KeyRotationStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::stored_key::{KeyPage, KeyReplacement, RecordKind, SignedAgain, StoredDataKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;
use rusqlite::{OptionalExtension as _, params};

use crate::sqlite::db::Db;
use crate::sqlite::rows::Columns;
use crate::sqlite::{Sqlite, key_slots};

const PORT: &str = "key_rotation_store";

/// The columns of a record's id and of its part, by kind.
const fn id_columns(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::Registrations | RecordKind::Users | RecordKind::Webhooks => ("id", "0"),
        RecordKind::SentMessages => ("job", "part"),
    }
}

fn replace(db: &Db, kind: RecordKind, replacement: &KeyReplacement) -> rusqlite::Result<bool> {
    let KeyReplacement { expected, new } = replacement;
    let (table, (id, part)) = (kind.as_str(), id_columns(kind));
    let which = format!("realm = ?1 AND {id} = ?2 AND {part} = ?3");
    let sql = format!("SELECT key_slot, wrapped FROM {table} JOIN keys ON slot = key_slot WHERE {which}");
    let record = params![expected.realm.as_str(), expected.record, expected.part];
    let mut statement = db.prepare_cached(&sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, key_slots::read(row.get_ref(1)?.as_blob()?)));
    let stored = statement.query_row(record, read).optional()?;
    let Some((slot, _)) = stored.filter(|(_, stored)| stored.as_ref() == Some(&expected.key)) else { return Ok(false) };
    let new_slot = key_slots::replace(db, slot, new)?;
    if new_slot != slot {
        let sql = format!("UPDATE {table} SET key_slot = ?4 WHERE {which}");
        let record = params![expected.realm.as_str(), expected.record, expected.part, new_slot];
        db.prepare_cached(&sql)?.execute(record)?;
    }
    Ok(true)
}

#[async_trait]
impl KeyRotationStore for Sqlite {
    async fn count_keys(&self, kind: RecordKind) -> Result<u64, PortError> {
        let sql = format!("SELECT count(*) FROM {}", kind.as_str());
        let count: i64 = self.readers.read(PORT, |db| db.query_row(&sql, [], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }

    async fn keys(&self, kind: RecordKind, after: Option<String>, limit: u32) -> Result<KeyPage, PortError> {
        let (table, (id, part)) = (kind.as_str(), id_columns(kind));
        let after = match after.as_deref().map(str::parse::<i64>) {
            None => i64::MIN,
            Some(rowid) => rowid.map_err(|error| PortError::new(PORT, error))?,
        };
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT {table}.rowid, realm, {id}, {part}, wrapped FROM {table} JOIN keys ON slot = key_slot \
                 WHERE {table}.rowid > ?1 ORDER BY {table}.rowid LIMIT ?2"
            );
            let (mut keys, mut last) = (Vec::new(), None);
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query((after, limit))?;
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
            Ok(KeyPage { keys, next_cursor: last.filter(|_| full).map(|last| last.to_string()) })
        })
    }

    /// Replaces all of them in one commit.
    async fn replace_keys(&self, kind: RecordKind, replacements: Vec<KeyReplacement>) -> Result<u64, PortError> {
        let write =
            move |db: &Db| replacements.iter().try_fold(0, |count, one| Ok(count + u64::from(replace(db, kind, one)?)));
        self.writer.write(PORT, write).await
    }

    async fn count_macs(&self, key: u32) -> Result<u64, PortError> {
        self.count_under(key)
    }

    async fn sign_again(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError> {
        self.sign_under_newest(key, limit).await
    }

    async fn purge_replaced_keys(&self) -> Result<(), PortError> {
        self.writer.erase(PORT, |_| Ok(())).await
    }
}
