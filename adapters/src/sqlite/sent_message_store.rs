//! [`SentMessageStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::key_slots;
use crate::sqlite::rows::Columns;

const PORT: &str = "sent_message_store";
/// The number of copies that are stored.
const CAPACITY: i64 = 10_000;

/// Read where `keys` is joined.
pub const COLUMNS: &str = "realm, subject, job, part, wrapped, message, at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<StoredMessage>> {
    let mut columns = Columns::of(row);
    let copy = StoredMessage {
        realm: columns.realm()?,
        subject: UserId::from_bytes(columns.id()?),
        job: JobId::from_bytes(columns.id()?),
        part: columns.value()?,
        key: columns.key()?,
        message: columns.sealed()?,
        at: columns.time()?,
    };
    columns.with_mac(copy)
}

/// Keeps a copy, the newest; one of the same job and part is replaced.
pub fn insert(db: &Db, copy: &StoredMessage) -> rusqlite::Result<()> {
    let of_job = params![copy.job.as_bytes(), copy.part];
    db.prepare_cached("DELETE FROM outbox WHERE job = ?1 AND part = ?2")?.execute(of_job)?;
    let sql = "INSERT INTO outbox (realm, subject, job, part, key_slot, message, at, mac) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (realm, subject, job) = (copy.realm.as_str(), copy.subject.as_bytes(), copy.job.as_bytes());
    let (slot, message) = (key_slots::insert(db, &copy.key)?, copy.message.as_bytes());
    let all = params![realm, subject, job, copy.part, slot, message, copy.at.as_millis(), db.sign(copy)];
    db.prepare_cached(sql)?.execute(all).map(|_| ())
}

#[async_trait]
impl SentMessageStore for Sqlite {
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError> {
        let write = move |db: &Db| {
            insert(db, &copy)?;
            let oldest = db.last_insert_rowid() - CAPACITY;
            db.prepare_cached("DELETE FROM outbox WHERE number <= ?1")?.execute([oldest]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError> {
        self.readers.read(PORT, |db| {
            let sql =
                format!("SELECT {COLUMNS} FROM outbox JOIN keys ON slot = key_slot ORDER BY number DESC LIMIT ?1");
            db.find_all(&sql, [limit], read)
        })
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        let (realm, subject) = (realm.clone(), *subject);
        let write = move |db: &Db| {
            let mut statement = db.prepare_cached("DELETE FROM outbox WHERE realm = ?1 AND subject = ?2")?;
            statement.execute(params![realm.as_str(), subject.as_bytes()]).map(|_| ())
        };
        self.writer.erase(PORT, write).await
    }
}
