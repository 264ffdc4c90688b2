//! [`JobQueue`] on SQLite. A job that a later version wrote stays where it is.

use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::{DeadLetter, Job, JobSubject};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::job_text::{self, POSTPONE_UNKNOWN};
use crate::sqlite::Sqlite;
use crate::sqlite::rows::Columns;

const PORT: &str = "job_queue";
const COLUMNS: &str = "id, realm, task, attempts, created_at";

/// `None` for a task that a later version wrote.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<Job>> {
    let mut columns = Columns::of(row);
    let (id, realm, task) = (JobId::from_bytes(columns.id()?), columns.realm()?, columns.value::<String>()?);
    let (attempts, created_at) = (columns.value()?, columns.time()?);
    Ok(job_text::parse(&task).map(|task| Job { id, realm, task, attempts, created_at }))
}

fn read_dead(row: &Row<'_>) -> rusqlite::Result<Option<DeadLetter>> {
    let (reason, at): (Option<String>, i64) = (row.get(5)?, row.get(6)?);
    let letter = |job| DeadLetter { job, reason: reason.unwrap_or_default(), at: Timestamp::from_millis(at) };
    Ok(read(row)?.map(letter))
}

/// The oldest due job. One of a later version is postponed with its number of attempts unchanged.
fn claim(db: &Connection, now: Timestamp, lease: Duration) -> rusqlite::Result<Option<Job>> {
    let sql = format!(
        "UPDATE jobs SET attempts = attempts + 1, due_at = ?2, leased = 1 WHERE id = (SELECT id FROM jobs \
         WHERE dead_at IS NULL AND due_at <= ?1 ORDER BY due_at, created_at LIMIT 1) RETURNING {COLUMNS}"
    );
    let mut claimed = db.prepare_cached(&sql)?;
    let times = [now.as_millis(), (now + lease).as_millis()];
    while let Some((id, job)) =
        claimed.query_row(times, |row| Ok((row.get::<_, [u8; 16]>(0)?, read(row)?))).optional()?
    {
        if job.is_some() {
            return Ok(job);
        }
        job_text::warn_of_unknown();
        let sql = "UPDATE jobs SET attempts = attempts - 1, due_at = ?2, leased = 0 WHERE id = ?1";
        db.prepare_cached(sql)?.execute(params![id, (now + POSTPONE_UNKNOWN).as_millis()])?;
    }
    Ok(None)
}

/// Jobs that were claimed when the process died are due again. SQLite has one process, so none is still being worked on.
pub fn release_leases(db: &Connection) -> rusqlite::Result<usize> {
    db.execute("UPDATE jobs SET due_at = created_at, leased = 0 WHERE leased = 1", [])
}

/// Stores a job, due from its creation on.
pub fn insert(db: &Connection, job: &Job) -> rusqlite::Result<()> {
    let (subject, address) = match job.task.about() {
        JobSubject::Subject(user) => (Some(*user.as_bytes()), None),
        JobSubject::Address(index) => (None, Some(*index.as_bytes())),
    };
    let sql = "INSERT INTO jobs (id, realm, subject, address, task, attempts, created_at, due_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    let (id, realm, created_at) = (job.id.as_bytes(), job.realm.as_str(), job.created_at.as_millis());
    let task = job_text::print(&job.task);
    db.prepare_cached(sql)?.execute(params![id, realm, subject, address, task, job.attempts, created_at])?;
    Ok(())
}

/// Removes every job about a person or an address.
pub fn forget(db: &Connection, realm: &Realm, subject: &JobSubject) -> rusqlite::Result<()> {
    let (sql, key): (_, &[u8]) = match subject {
        JobSubject::Subject(user) => ("DELETE FROM jobs WHERE realm = ?1 AND subject = ?2", user.as_bytes()),
        JobSubject::Address(index) => ("DELETE FROM jobs WHERE realm = ?1 AND address = ?2", index.as_bytes()),
    };
    db.prepare_cached(sql)?.execute(params![realm.as_str(), key]).map(|_| ())
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
        let write = move |db: &Connection| {
            db.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([id.as_bytes()]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        let id = *id;
        let write = move |db: &Connection| {
            let mut statement =
                db.prepare_cached("UPDATE jobs SET due_at = ?2, leased = 0 WHERE id = ?1 AND dead_at IS NULL")?;
            statement.execute(params![id.as_bytes(), at.as_millis()]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        let (id, reason) = (*id, reason.to_owned());
        let write = move |db: &Connection| {
            let mut statement =
                db.prepare_cached("UPDATE jobs SET dead_at = ?2, reason = ?3, leased = 0 WHERE id = ?1")?;
            statement.execute(params![id.as_bytes(), now.as_millis(), reason]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn list_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT {COLUMNS}, reason, dead_at FROM jobs WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, created_at DESC \
                 LIMIT ?1"
            );
            db.prepare_cached(&sql)?.query_map([limit], read_dead)?.filter_map(Result::transpose).collect()
        })
    }

    async fn requeue(&self, id: &JobId, now: Timestamp) -> Result<bool, PortError> {
        let id = *id;
        let write = move |db: &Connection| {
            let sql = "UPDATE jobs SET dead_at = NULL, reason = NULL, attempts = 0, due_at = ?2 \
                       WHERE id = ?1 AND dead_at IS NOT NULL";
            Ok(db.prepare_cached(sql)?.execute(params![id.as_bytes(), now.as_millis()])? > 0)
        };
        let requeued = self.writer.write(PORT, write).await?;
        self.enqueued.notify_one();
        Ok(requeued)
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
