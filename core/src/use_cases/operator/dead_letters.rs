//! An operator queues dead letters again.

use crate::model::event::{Event, EventKind};
use crate::model::job::{DeadLetter, JobSubject};
use crate::model::operator_note::OperatorNote;
use crate::model::time::Timestamp;
use crate::ports::database::{Database, UnitOfWork};
use crate::ports::error::PortError;
use crate::ports::job_queue::JobQueue;

/// Queues a dead letter again; whether it was still one. The audit event follows in a commit of its own.
///
/// # Errors
/// When a port fails.
pub async fn requeue(
    letter: &DeadLetter,
    (jobs, database): (&dyn JobQueue, &dyn Database),
    note: &OperatorNote,
    now: Timestamp,
) -> Result<bool, PortError> {
    let job = &letter.job;
    if !jobs.requeue(&job.id, now).await? {
        return Ok(false);
    }
    let user = match job.task.about() {
        JobSubject::Subject(user) => Some(user),
        JobSubject::Address(_) => None,
    };
    let (realm, kind, operator) = (job.realm.clone(), EventKind::MessageRequeued, Some(note.clone()));
    let events = vec![Event { at: now, realm, kind, user, session: None, operator }];
    let work = UnitOfWork { events, ..UnitOfWork::default() };
    database.commit(work).await?.map_err(|refusal| PortError::new("database", refusal))?;
    Ok(true)
}
