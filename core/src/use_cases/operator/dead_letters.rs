//! An operator queues dead letters again.

use crate::model::event::{Event, EventKind};
use crate::model::job::DeadLetter;
use crate::model::operator_note::OperatorNote;
use crate::model::time::Timestamp;
use crate::ports::database::{Change, Database, Refusal, UnitOfWork};
use crate::ports::error::PortError;

/// Queues a dead letter again, with its audit event; whether it was still one.
///
/// # Errors
/// When the database fails.
pub async fn requeue(
    letter: &DeadLetter,
    database: &dyn Database,
    note: &OperatorNote,
    now: Timestamp,
) -> Result<bool, PortError> {
    let job = &letter.job;
    let user = job.task.about().user();
    let mut work = UnitOfWork::of(Change::RequeueJob { realm: job.realm.clone(), id: job.id, now });
    let (realm, kind, operator) = (job.realm.clone(), EventKind::MessageRequeued, Some(note.clone()));
    work.events = vec![Event { at: now, realm, kind, user, session: None, operator, detail: None }];
    match database.commit(work).await? {
        Ok(_) => Ok(true),
        Err(Refusal::JobGone) => Ok(false),
        Err(refusal) => Err(PortError::new("database", refusal)),
    }
}
