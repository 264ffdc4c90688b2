//! The limit of everything that is written: changes of rows as large as a session, so many to a commit, each commit on
//! the disk before the next.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use mongodb::bson::{Binary, Document, doc, spec::BinarySubtype};
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

/// The same on a server of MongoDB's protocol: changes of one document each, from so many tasks, each answered when a
/// majority has it in its journal.
pub async fn mongo(url: &str, tasks: u64, seconds: f64) -> Result<Value> {
    let database = mongodb::Client::with_uri_str(url).await?.database(&format!("bench_writes_{}", std::process::id()));
    let documents = database.collection::<Document>("documents");
    let content = |written: u64| -> Result<Binary> {
        Ok(Binary { subtype: BinarySubtype::Generic, bytes: vec![u8::try_from(written % 251)?; BYTES] })
    };
    for id in 0..tasks {
        documents.insert_one(doc! {"_id": id.cast_signed(), "content": content(0)?}).await?;
    }
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let writers: Vec<_> = (0..tasks)
        .map(|id| {
            let documents = documents.clone();
            tokio::spawn(async move {
                let mut written = 0;
                while Instant::now() < until {
                    let change = doc! {"$set": {"content": content(written)?}};
                    documents.update_one(doc! {"_id": id.cast_signed()}, change).await?;
                    written += 1;
                }
                anyhow::Ok(written)
            })
        })
        .collect();
    let mut written = 0;
    for writer in writers {
        written += writer.await??;
    }
    let rate = written as f64 / began.elapsed().as_secs_f64();
    database.drop().await?;
    Ok(json!({"rate": rate}))
}
