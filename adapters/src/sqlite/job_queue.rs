//! [`JobQueue`] on SQLite. A job that a later version wrote stays where it is.

use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::stored_record::StoredJob;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use crate::crypto::record_macs::Stored;
use crate::job_text::{self, POSTPONE_UNKNOWN, REFUSED};
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::Columns;

const PORT: &str = "job_queue";
pub const COLUMNS: &str = "id, realm, subject, address, task, attempts, created_at, due_at, dead_at, reason, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<StoredJob>> {
    let mut columns = Columns::of(row);
    let job = StoredJob {
        id: JobId::from_bytes(columns.id()?),
        realm: columns.realm()?,
        subject: columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes),
        address: columns.digest_if_any()?,
        task: columns.value()?,
        attempts: columns.value()?,
        created_at: columns.time()?,
        due_at: columns.time()?,
        dead_at: columns.value::<Option<i64>>()?.map(Timestamp::from_millis),
        reason: columns.value()?,
    };
    columns.with_mac(job)
}

/// Stores a job in the place of one with its id.
pub fn put(db: &Db, job: &StoredJob) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO jobs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    let all = params![
        job.id.as_bytes(),
        job.realm.as_str(),
        job.subject.map(|user| *user.as_bytes()),
        job.address.map(|address| *address.as_bytes()),
        job.task,
        job.attempts,
        job.created_at.as_millis(),
        job.due_at.as_millis(),
        job.dead_at.map(Timestamp::as_millis),
        job.reason,
        db.sign(job),
    ];
    db.prepare_cached(&sql)?.execute(all).map(|_| ())
}

/// Stores a new job, due from its creation on.
pub fn insert(db: &Db, job: &Job) -> rusqlite::Result<()> {
    put(db, &job_text::stored(job))
}

/// The oldest due job. One of a later version is postponed with its number of attempts unchanged.
fn claim(db: &Db, now: Timestamp, lease: Duration) -> rusqlite::Result<Option<Job>> {
    let sql = format!(
        "UPDATE jobs SET attempts = attempts + 1, due_at = ?2, leased = 1 WHERE id = (SELECT id FROM jobs \
         WHERE dead_at IS NULL AND due_at <= ?1 ORDER BY due_at, created_at LIMIT 1) RETURNING {COLUMNS}"
    );
    let mut claimed = db.prepare_cached(&sql)?;
    let times = [now.as_millis(), (now + lease).as_millis()];
    let read = |row: &Row<'_>| Ok((JobId::from_bytes(row.get(0)?), read(row)));
    while let Some((id, found)) = claimed.query_row(times, read).optional()? {
        let Ok(verified) = found.and_then(|stored| db.verify(stored)) else {
            make_dead_letter(db, &id, REFUSED, now)?;
            continue;
        };
        if let Some(job) = job_text::job(verified) {
            return Ok(Some(job));
        }
        job_text::warn_of_unknown();
        let sql = "UPDATE jobs SET attempts = attempts - 1, due_at = ?2, leased = 0 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![id.as_bytes(), (now + POSTPONE_UNKNOWN).as_millis()])?;
    }
    Ok(None)
}

/// Makes a job a dead letter.
fn make_dead_letter(db: &Db, id: &JobId, reason: &str, now: Timestamp) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("UPDATE jobs SET dead_at = ?2, reason = ?3, leased = 0 WHERE id = ?1")?;
    statement.execute(params![id.as_bytes(), now.as_millis(), reason]).map(|_| ())
}

/// The dead letters that a query finds. Those that do not verify are among them: nothing is decided by them, and a worker
/// refuses them again.
fn dead_letters(db: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(parameters, read)?;
    found.filter_map(|stored| stored.map(|stored| job_text::dead_letter(stored.unverified())).transpose()).collect()
}

/// Queues a dead letter again.
pub fn requeue(db: &Db, realm: &Realm, id: &JobId, now: Timestamp) -> rusqlite::Result<Result<(), Refusal>> {
    let sql = "UPDATE jobs SET dead_at = NULL, reason = NULL, attempts = 0, due_at = ?3 \
               WHERE realm = ?1 AND id = ?2 AND dead_at IS NOT NULL";
    let queued = db.prepare_cached(sql)?.execute(params![realm.as_str(), id.as_bytes(), now.as_millis()])?;
    Ok(if queued == 1 { Ok(()) } else { Err(Refusal::JobGone) })
}

/// Jobs that were claimed when the process died are due again. SQLite has one process, so none is still being worked on.
pub fn release_leases(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("UPDATE jobs SET due_at = created_at, leased = 0 WHERE leased = 1", [])
}

/// Removes every job about a person or an address.
pub fn forget(db: &Db, realm: &Realm, subject: &JobSubject) -> rusqlite::Result<()> {
    match subject {
        JobSubject::Subject(_) | JobSubject::Webhook(_) => {
            let sql = "DELETE FROM jobs WHERE realm = ?1 AND subject = ?2";
            let record = subject.record().map(|id| *id.as_bytes());
            db.prepare_cached(sql)?.execute(params![realm.as_str(), record]).map(|_| ())
        }
        JobSubject::Address(index) => index.all().try_for_each(|address| {
            let sql = "DELETE FROM jobs WHERE realm = ?1 AND address = ?2";
            db.prepare_cached(sql)?.execute(params![realm.as_str(), address.as_bytes()]).map(|_| ())
        }),
    }
}

#[async_trait]
impl JobQueue for Sqlite {
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Job>, PortError> {
        // read first: an idle worker must not cause disk writes
        let due = self.readers.read(PORT, |db| {
            db.prepare_cached("SELECT 1 FROM jobs WHERE dead_at IS NULL AND due_at <= ?1 LIMIT 1")?
                .exists([now.as_millis()])
        })?;
        if !due {
            return Ok(None);
        }
        self.writer.write(PORT, move |db| claim(db, now, lease)).await
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        let id = *id;
        let write =
            move |db: &Db| db.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([id.as_bytes()]).map(|_| ());
        self.writer.write(PORT, write).await
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        let id = *id;
        let write = move |db: &Db| {
            let mut statement =
                db.prepare_cached("UPDATE jobs SET due_at = ?2, leased = 0 WHERE id = ?1 AND dead_at IS NULL")?;
            statement.execute(params![id.as_bytes(), at.as_millis()]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        let (id, reason) = (*id, reason.to_owned());
        self.writer.write(PORT, move |db| make_dead_letter(db, &id, &reason, now)).await
    }

    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE dead_at IS NOT NULL AND (?1 IS NULL OR realm = ?1) \
             ORDER BY dead_at DESC, created_at DESC LIMIT ?2"
        );
        self.readers.read(PORT, |db| dead_letters(db, &sql, params![realm.as_ref().map(Realm::as_str), limit]))
    }

    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE dead_at IS NOT NULL AND id = ?1");
        let found = self.readers.read(PORT, |db| dead_letters(db, &sql, params![id.as_bytes()]))?;
        Ok(found.into_iter().next())
    }

    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE realm = ?1 AND subject = ?2 \
             AND (?3 IS NULL OR (created_at, id) < (?3, ?4)) ORDER BY created_at DESC, id DESC LIMIT ?5"
        );
        let record = subject.record().map(|id| *id.as_bytes());
        let (at, id) = before.map(|(at, id)| (at.as_millis(), *id.as_bytes())).unzip();
        self.readers.read(PORT, |db| {
            let mut statement = db.prepare_cached(&sql)?;
            let found = statement.query_map(params![realm.as_str(), record, at, id, limit], read)?;
            found.filter_map(|stored| stored.map(|stored| job_text::queued(stored.unverified())).transpose()).collect()
        })
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        self.readers.read(PORT, |db| {
            let sql = "SELECT (SELECT count(*) FROM jobs WHERE dead_at IS NULL), \
                       (SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL)";
            db.query_row(sql, [], |row| {
                let mut columns = Columns::of(row);
                Ok(QueueDepth { waiting: columns.number()?, dead: columns.number()? })
            })
        })
    }

    async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.enqueued.notified()).await;
    }
}
