//! The limit of everything that is written: changes of rows as large as a session, so many to a commit, each commit on
//! the disk before the next.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

/// Rows that are changed, in turn.
const ROWS: u64 = 1000;
/// About as many bytes as a session has.
const BYTES: usize = 400;

/// Writes for so long, with the server's own settings of SQLite.
pub fn run(folder: &Path, group: u64, seconds: f64) -> Result<Value> {
    let path = folder.join(format!("writes-{}.db", std::process::id()));
    let db = Connection::open(&path)?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
    db.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT; BEGIN")?;
    for id in 0..ROWS {
        db.execute("INSERT INTO rows VALUES (?1, zeroblob(?2))", params![id.cast_signed(), BYTES.cast_signed()])?;
    }
    db.execute_batch("COMMIT")?;
    let (began, mut written) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs_f64(seconds) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            let content = [u8::try_from(written % 251)?; BYTES];
            let id = (written % ROWS).cast_signed();
            db.prepare_cached("UPDATE rows SET content = ?2 WHERE id = ?1")?.execute(params![id, content])?;
            written += 1;
        }
        db.execute_batch("COMMIT")?;
    }
    let rate = written as f64 / began.elapsed().as_secs_f64();
    drop(db);
    for end in ["", "-wal", "-shm"] {
        // the log is gone already where SQLite has folded it
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    Ok(json!({"rate": rate}))
}
