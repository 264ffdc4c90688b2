//! The same on SQLite: the file is edited while it is closed.

use portcullis_tests::record_macs;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_adapters::crypto::record_macs::RecordMacs;
use std::sync::atomic::Ordering;

use portcullis_adapters::sqlite::Sqlite;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;

use crate::answers::{Answer, answers, change, fill};
use crate::judge;

/// Columns that decide nothing: they find the wrapped key, schedule a job or number a row.
const NOT_DECIDING: &[(&str, &str)] = &[
    ("users", "key_slot"),
    ("registrations", "key_slot"),
    ("outbox", "key_slot"),
    ("webhooks", "key_slot"),
    ("outbox", "number"),
    ("audit", "number"),
    ("audit", "chain"),
    ("audit", "link"),
    ("audit", "tag"),
    ("jobs", "attempts"),
    ("jobs", "due_at"),
    ("jobs", "leased"),
    ("jobs", "dead_at"),
    ("jobs", "reason"),
    ("login_counts", "forgotten_at"),
];
/// Tables without MACs: wrapped keys, check values and signed notes prove themselves.
const WITHOUT_MACS: &[&str] = &["keys", "checks", "audit_notes", "sqlite_sequence"];

struct Stores {
    folder: TempDir,
    macs: Arc<RecordMacs>,
}

impl Stores {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn copy(&self, from: &str, to: &str) -> Connection {
        std::fs::copy(self.path(from), self.path(to)).unwrap();
        Connection::open(self.path(to)).unwrap()
    }

    async fn answers_of(&self, name: &str) -> Vec<Answer> {
        let store = Sqlite::open(&self.path(name), &self.macs).unwrap();
        answers(&store).await
    }
}

/// `older.db` and `newer.db`: the same records, and in the second the first person's have changed.
async fn stores() -> Stores {
    let stores = Stores { folder: tempfile::tempdir().unwrap(), macs: record_macs::of_ring(&[1]) };
    fill(&Sqlite::open(&stores.path("newer.db"), &stores.macs).unwrap()).await;
    drop(stores.copy("newer.db", "older.db"));
    change(&Sqlite::open(&stores.path("newer.db"), &stores.macs).unwrap()).await;
    stores
}

fn names(db: &Connection, sql: &str) -> Vec<String> {
    db.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn tables(db: &Connection) -> Vec<String> {
    let all = names(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    all.into_iter().filter(|table| !WITHOUT_MACS.contains(&table.as_str())).collect()
}

fn columns(db: &Connection, table: &str) -> Vec<String> {
    names(db, &format!("SELECT name FROM pragma_table_info('{table}')"))
}

/// The columns of the primary key, as SQL.
fn key(db: &Connection, table: &str) -> String {
    names(db, &format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk")).join(", ")
}

/// The rows of a table by their key.
fn rows(path: &Path, table: &str) -> Vec<Vec<Value>> {
    let db = Connection::open(path).unwrap();
    let sql = format!("SELECT {} FROM {table} ORDER BY {}", columns(&db, table).join(", "), key(&db, table));
    let mut statement = db.prepare(&sql).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Other values of the same kind.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Integer(number) => {
            vec![Value::Integer(number ^ 1), Value::Integer(number + 1_000_000), Value::Integer(0), Value::Integer(1)]
        }
        Value::Text(text) => vec![Value::Text(format!("{text}x")), Value::Text("User2".to_owned())],
        Value::Blob(bytes) => {
            let flipped = |at: usize| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x10;
                Value::Blob(bytes)
            };
            let last = bytes.len() - 1;
            let short = Value::Blob(bytes[..last].to_vec());
            vec![flipped(0), flipped(last / 2), flipped(last), short, Value::Null]
        }
        Value::Null => vec![Value::Integer(1), Value::Blob(vec![7; 32]), Value::Blob(vec![7; 16])],
        Value::Real(_) => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_column_of_the_file_can_be_edited() {
    let stores = stores().await;
    let before = stores.answers_of("newer.db").await;
    assert!(!before.contains(&Answer::Refused));
    let db = Connection::open(stores.path("newer.db")).unwrap();
    let (mut edited, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for table in tables(&db) {
        let (columns, key) = (columns(&db, &table), key(&db, &table));
        let (newer, older) = (rows(&stores.path("newer.db"), &table), rows(&stores.path("older.db"), &table));
        assert_eq!((newer.len(), older.len()), (3, 3), "{table} has a record of each person");
        // the one that has changed, where one has
        let place = (0..3).find(|place| newer[*place] != older[*place]).unwrap_or_default();
        for row in newer.iter().skip(place).take(1) {
            for (at, column) in columns.iter().enumerate() {
                if NOT_DECIDING.contains(&(&table, column)) {
                    continue;
                }
                tried.insert(format!("{table}.{column}"));
                let of_others = newer.iter().map(|other| other[at].clone());
                let candidates = others(&row[at]).into_iter().chain(of_others).chain([older[place][at].clone()]);
                for value in candidates.filter(|value| *value != row[at]) {
                    let edit = stores.copy("newer.db", "edited.db");
                    let key_values = key
                        .split(", ")
                        .map(|name| row[columns.iter().position(|column| column == name).unwrap()].clone());
                    let marks = vec!["?"; key.split(", ").count()].join(", ");
                    let sql = format!("UPDATE {table} SET {column} = ? WHERE ({key}) = ({marks})");
                    let values = std::iter::once(value.clone()).chain(key_values);
                    // some edits the schema itself refuses
                    let Ok(changed) = edit.execute(&sql, params_from_iter(values)) else { continue };
                    assert_eq!(changed, 1);
                    drop(edit);
                    let after = stores.answers_of("edited.db").await;
                    judge((&table, column), &format!("{:?} to {value:?}", row[at]), &before, &after);
                    edited.insert(format!("{table}.{column}"));
                }
            }
        }
    }
    assert_eq!(edited, tried, "every column was edited");
    assert!(stores.macs.refused().load(Ordering::Relaxed) > 100, "refused records are counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_older_row_passes() {
    let stores = stores().await;
    let older = stores.answers_of("older.db").await;
    let edit = stores.copy("newer.db", "edited.db");
    for table in ["users", "sessions", "one_time_tokens", "registrations", "login_counts", "undo_records", "webhooks"] {
        let columns = columns(&edit, table).join(", ");
        edit.execute_batch(&format!(
            "ATTACH '{}' AS older; DELETE FROM {table}; \
             INSERT INTO {table} ({columns}) SELECT {columns} FROM older.{table}; DETACH older;",
            stores.path("older.db").display()
        ))
        .unwrap();
    }
    drop(edit);
    assert_eq!(stores.answers_of("edited.db").await, older);
}
