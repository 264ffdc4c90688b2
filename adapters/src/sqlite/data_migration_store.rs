//! [`MigratableStore`] on SQLite. A batch and the progress are one commit: after a kill no record is missing or there
//! twice.

use async_trait::async_trait;
use portcullis_core::model::stored_record::{Collection, Record, RecordPage};
use portcullis_core::ports::data_migration_store::{MigratableStore, PROGRESS_KEY};
use portcullis_core::ports::error::PortError;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::authenticated_records::has_macs;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::row_mapping::{self, Shape};

const PORT: &str = "data_migration_store";

/// At most `limit` rows after a key, with their keys.
fn rows(db: &Db, of: Collection, after: &[Value], limit: usize) -> rusqlite::Result<Vec<(Vec<Value>, Record)>> {
    let Shape { from, columns, key, order, read } = row_mapping::of(of);
    let keys = key.join(", ");
    let marks = vec!["?"; after.len()].join(", ");
    let which = if after.is_empty() { String::new() } else { format!("WHERE ({keys}) > ({marks})") };
    let sql = format!("SELECT {columns}, {keys} FROM {from} {which} ORDER BY {keys}{order} LIMIT {limit}");
    let mut statement = db.prepare_cached(&sql)?;
    let first = statement.column_count() - key.len();
    let rows = statement.query_map(params_from_iter(after), |row| {
        let key = (0..key.len()).map(|at| row.get(first + at)).collect::<rusqlite::Result<Vec<Value>>>()?;
        let stored = read(row)?;
        Ok((key, if has_macs(of) { db.verify(stored)? } else { stored.unverified() }))
    })?;
    rows.collect()
}

/// The next records. The last record of a full page may have more rows: it is left to the next page.
fn page(db: &Db, of: Collection, after: &[Value], mut limit: usize) -> rusqlite::Result<Option<RecordPage>> {
    loop {
        let rows = rows(db, of, after, limit)?;
        let full = rows.len() == limit;
        let mut records: Vec<(Vec<Value>, Record)> = Vec::new();
        for (key, record) in rows {
            match records.last_mut() {
                Some((last, into)) if *last == key => row_mapping::join(into, record),
                _ => records.push((key, record)),
            }
        }
        if full {
            records.pop();
        }
        if let Some((last, _)) = records.last() {
            let cursor = print(last);
            return Ok(Some(RecordPage { records: records.into_iter().map(|(_, record)| record).collect(), cursor }));
        }
        if !full {
            return Ok(None);
        }
        limit *= 2;
    }
}

/// A key as text.
fn print(key: &[Value]) -> String {
    let part = |value: &Value| match value {
        Value::Integer(number) => format!("i{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Blob(bytes) => format!("b{}", hex::encode(bytes)),
        // no key has these
        Value::Null | Value::Real(_) => "n".to_owned(),
    };
    serde_json::to_string(&key.iter().map(part).collect::<Vec<_>>()).unwrap_or_default()
}

/// A key from its text.
fn parse(text: &str) -> Option<Vec<Value>> {
    let part = |part: String| {
        let (kind, rest) = part.split_at_checked(1)?;
        match kind {
            "i" => rest.parse().ok().map(Value::Integer),
            "t" => Some(Value::Text(rest.to_owned())),
            "b" => hex::decode(rest).ok().map(Value::Blob),
            _ => None,
        }
    };
    serde_json::from_str::<Vec<String>>(text).ok()?.into_iter().map(part).collect()
}

#[async_trait]
impl MigratableStore for Sqlite {
    async fn next_page(
        &self,
        of: Collection,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<RecordPage>, PortError> {
        let shape = row_mapping::of(of);
        let after = match after.as_deref().map(parse) {
            None => Vec::new(),
            Some(Some(key)) if key.len() == shape.key.len() => key,
            Some(_) => return Err(PortError::new(PORT, "the progress of the migration is not of this store")),
        };
        self.readers.read(PORT, |db| page(db, of, &after, limit))
    }

    async fn put_all(&self, records: Vec<Record>, progress: &[u8]) -> Result<(), PortError> {
        let progress = progress.to_vec();
        let write = move |db: &Db| {
            records.iter().try_for_each(|record| row_mapping::put(db, record))?;
            db.execute("REPLACE INTO checks (name, value) VALUES (?1, ?2)", (PROGRESS_KEY, &progress)).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn count(&self, of: Collection) -> Result<u64, PortError> {
        let shape = row_mapping::of(of);
        let sql = format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {})", shape.key.join(", "), shape.from);
        let count: i64 = self.readers.read(PORT, |db| db.query_row(&sql, [], |row| row.get(0)))?;
        u64::try_from(count).map_err(|error| PortError::new(PORT, error))
    }

    async fn clear(&self, of: Collection) -> Result<(), PortError> {
        let sql = match of {
            Collection::Checks => format!("DELETE FROM checks WHERE name <> '{PROGRESS_KEY}'"),
            // with a condition, SQLite visits each row, so that the triggers run
            of => format!("DELETE FROM {} WHERE true", of.as_str()),
        };
        self.writer.erase(PORT, move |db| db.execute(&sql, []).map(|_| ())).await
    }

    async fn remove_progress(&self) -> Result<(), PortError> {
        self.writer.erase(PORT, |db| db.execute("DELETE FROM checks WHERE name = ?1", [PROGRESS_KEY]).map(|_| ())).await
    }
}
