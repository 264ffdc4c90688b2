//! [`Database`] on SQLite: one savepoint holds the changes of a unit of work, its jobs and its events.

use async_trait::async_trait;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;

use crate::sqlite::db::Db;
use crate::sqlite::{
    Sqlite, audit_log, credential_store, job_queue, login_guard, one_time_token_store, registration_store,
    session_store, undo_store, user_store, webhook_store,
};

const PORT: &str = "database";

/// Applies one change. A refusal undoes the whole unit.
fn apply(db: &Db, change: Change, committed: &mut Committed) -> rusqlite::Result<Result<(), Refusal>> {
    match change {
        Change::InsertRegistration { registration, limit, now } => {
            committed.registrations.extend(registration_store::insert_new(db, *registration, limit, now)?);
            Ok(Ok(()))
        }
        Change::CountRegistrationFailure { realm, id, limit } => {
            registration_store::count_failure(db, &realm, &id, limit)
        }
        Change::RemoveRegistration { realm, id } => registration_store::remove(db, &realm, &id).map(Ok),
        Change::RemoveRegistrations { realm, email } => {
            committed.registrations.extend(registration_store::remove_all(db, &realm, &email)?);
            Ok(Ok(()))
        }
        Change::ReindexRegistration { realm, id, email } => registration_store::reindex(db, &realm, &id, email).map(Ok),
        Change::InsertUser(user) => user_store::insert_new(db, &user),
        Change::ReplaceUser { user, expected } => user_store::replace(db, &user, expected),
        Change::DeleteUser { realm, id, expected } => user_store::delete(db, &realm, &id, expected),
        Change::InsertSession(session) => session_store::insert(db, &session).map(Ok),
        Change::ReplaceSession { session, expected } => session_store::replace(db, &session, expected),
        Change::EndSession { realm, id, .. } => session_store::end(db, &realm, &id),
        Change::EndSessions { realm, user, except } => {
            committed.sessions += session_store::end_all(db, &realm, &user, except)?;
            Ok(Ok(()))
        }
        Change::PutToken(token) => one_time_token_store::put(db, &token).map(Ok),
        Change::UseToken { owner, token, now } => one_time_token_store::consume(db, &owner, &token, now),
        Change::SetCode { owner, token, code, tries, now } => {
            one_time_token_store::set_code(db, (&owner, &token), (code, tries), now)
        }
        Change::RemoveToken(owner) => one_time_token_store::remove(db, &owner).map(Ok),
        Change::RemoveTokens { realm, subject } => one_time_token_store::remove_all(db, &realm, &subject).map(Ok),
        Change::ForgetJobs { realm, subject } => job_queue::forget(db, &realm, &subject).map(Ok),
        Change::RequeueJob { realm, id, now } => job_queue::requeue(db, &realm, &id, now),
        Change::ForgetLogins { realm, email } => login_guard::forget(db, &realm, &email).map(Ok),
        Change::CheckReservation { .. }
        | Change::InsertUndo(_)
        | Change::LimitUndos { .. }
        | Change::ReindexUndo { .. }
        | Change::SetUndoToken { .. }
        | Change::UseUndo { .. }
        | Change::RemoveUndos { .. } => undo_store::apply(db, &change),
        Change::InsertCredential(_) | Change::ReplaceCredential { .. } | Change::RemoveCredential { .. } => {
            credential_store::apply(db, &change)
        }
        Change::InsertWebhook(webhook) => webhook_store::insert_new(db, &webhook),
        Change::ReplaceWebhook { webhook, expected, new_secret } => {
            webhook_store::replace(db, &webhook, expected, new_secret)
        }
        Change::RemoveWebhook { realm, id } => webhook_store::remove(db, &realm, &id),
    }
}

fn apply_all(db: &Db, work: UnitOfWork) -> rusqlite::Result<Result<Committed, Refusal>> {
    let mut committed = Committed::default();
    for change in work.changes {
        if let Err(refusal) = apply(db, change, &mut committed)? {
            return Ok(Err(refusal));
        }
    }
    for job in &work.jobs {
        job_queue::insert(db, job)?;
    }
    for event in &work.events {
        audit_log::insert(db, event)?;
    }
    Ok(Ok(committed))
}

#[async_trait]
impl Database for Sqlite {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let erases = work
            .changes
            .iter()
            .any(|change| matches!(change, Change::DeleteUser { .. } | Change::RemoveWebhook { .. }));
        let enqueues = work.queues_jobs();
        let outcome = self.writer.write_unless_refused(PORT, erases, move |db| apply_all(db, work)).await?;
        if enqueues && outcome.is_ok() {
            self.enqueued.notify_one();
        }
        Ok(outcome)
    }
}
