//! [`MigratableStore`] on SQLite. A batch and the note of it are one change: after a kill nothing is there twice or missing.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use portcullis_core::ports::error::PortError;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::data_migration::{AT_ONCE, Collection, MigratableStore, NOTE, Page, Pages, Record};
use crate::sqlite::Sqlite;
use crate::sqlite::row_mapping::{self, Shape};

const PORT: &str = "move";

/// Rows behind a key, `most` of them, with their keys.
fn rows(db: &Connection, shape: &Shape, behind: &[Value], most: usize) -> rusqlite::Result<Vec<(Vec<Value>, Record)>> {
    let Shape { from, columns, key, order, read } = shape;
    let keys = key.join(", ");
    let marks = vec!["?"; behind.len()].join(", ");
    let which = if behind.is_empty() { String::new() } else { format!("WHERE ({keys}) > ({marks})") };
    let sql = format!("SELECT {columns}, {keys} FROM {from} {which} ORDER BY {keys}{order} LIMIT {most}");
    let mut statement = db.prepare_cached(&sql)?;
    let first = statement.column_count() - key.len();
    let rows = statement.query_map(params_from_iter(behind), |row| {
        let key = (0..key.len()).map(|at| row.get(first + at)).collect::<rusqlite::Result<Vec<Value>>>()?;
        Ok((key, read(row)?))
    })?;
    rows.collect()
}

/// The next records. The last one of a full reading may have more rows: it is left for the next.
fn page(db: &Connection, shape: &Shape, behind: &[Value]) -> rusqlite::Result<Option<(Vec<Record>, Vec<Value>)>> {
    let mut most = AT_ONCE;
    loop {
        let rows = rows(db, shape, behind, most)?;
        let full = rows.len() == most;
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
            let last = last.clone();
            return Ok(Some((records.into_iter().map(|(_, record)| record).collect(), last)));
        }
        if !full {
            return Ok(None);
        }
        most *= 2;
    }
}

/// A key as text.
fn print(key: &[Value]) -> String {
    let part = |value: &Value| match value {
        Value::Integer(number) => format!("i{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Blob(bytes) => bytes.iter().fold("b".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
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
            "b" => {
                let byte = |at: usize| u8::from_str_radix(rest.get(at..at + 2)?, 16).ok();
                (0..rest.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Value::Blob)
            }
            _ => None,
        }
    };
    serde_json::from_str::<Vec<String>>(text).ok()?.into_iter().map(part).collect()
}

#[async_trait]
impl MigratableStore for Sqlite {
    fn pages(&self, of: Collection, behind: Option<&str>) -> Pages<'_> {
        let shape = row_mapping::of(of);
        let behind = match behind.map(parse) {
            None => Ok(Vec::new()),
            Some(Some(key)) if key.len() == shape.key.len() => Ok(key),
            Some(_) => Err(PortError::new(PORT, "the note of how far the move came is not of this store")),
        };
        let pages = stream::unfold(Some((shape, behind)), move |state| async move {
            let (shape, behind) = state?;
            let read = |key: Vec<Value>| self.readers.read(PORT, |db| page(db, &shape, &key));
            match behind.and_then(read) {
                Ok(None) => None,
                Ok(Some((records, last))) => {
                    let page = Page { records, behind: Some(print(&last)) };
                    Some((Ok(page), Some((shape, Ok(last)))))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        pages.boxed()
    }

    async fn put_all(&self, records: Vec<Record>, note: &[u8]) -> Result<(), PortError> {
        let note = note.to_vec();
        let write = move |db: &Connection| {
            records.iter().try_for_each(|record| row_mapping::put(db, record))?;
            db.execute("REPLACE INTO checks (name, value) VALUES (?1, ?2)", (NOTE, &note)).map(|_| ())
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
            Collection::Checks => format!("DELETE FROM checks WHERE name <> '{NOTE}'"),
            // with a condition, SQLite goes through the rows and tells of each
            of => format!("DELETE FROM {} WHERE true", of.as_str()),
        };
        self.writer.erase(PORT, move |db| db.execute(&sql, []).map(|_| ())).await
    }

    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        let sql = "SELECT value FROM checks WHERE name = ?1";
        self.readers.read(PORT, |db| db.query_row(sql, [name], |row| row.get(0)).optional())
    }

    async fn remove_note(&self) -> Result<(), PortError> {
        self.writer.erase(PORT, |db| db.execute("DELETE FROM checks WHERE name = ?1", [NOTE]).map(|_| ())).await
    }
}
