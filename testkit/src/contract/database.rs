//! Contract cases of the database: a unit of work is stored as a whole, with its jobs and events, or not at all.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Case, Outcome, Setup, count};
use crate::samples::{NOW, digest, job, realm, session, user, user_id};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::user::User;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::database::{Change, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;

/// The database and the ports that read what it commits.
pub struct AllRecords {
    database: Arc<dyn Database>,
    users: Arc<dyn UserStore>,
    sessions: Arc<dyn SessionStore>,
    tokens: Arc<dyn OneTimeTokenStore>,
    jobs: Arc<dyn JobQueue>,
    audit: Arc<dyn AuditLog>,
}

impl AllRecords {
    /// Those of a backend that offers all of them.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        Some(Self {
            database: backend.database.clone()?,
            users: backend.user_store.clone()?,
            sessions: backend.session_store.clone()?,
            tokens: backend.one_time_token_store.clone()?,
            jobs: backend.job_queue.clone()?,
            audit: backend.audit_log.clone()?,
        })
    }
}

type Records = Setup<AllRecords>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<AllRecords>> {
    cases![
        a_commit_stores_changes_jobs_and_events,
        a_refusal_undoes_every_earlier_change,
        a_refusal_stores_no_job_and_no_event,
        jobs_and_events_need_no_change,
        a_removed_registration_takes_its_tokens_along,
        of_many_that_use_a_token_up_one_has_its_effect,
        a_session_is_found_with_its_account,
        a_session_or_an_account_alone_is_not_found,
    ]
}

fn event(user: &User) -> Event {
    let (realm, kind) = (user.realm.clone(), EventKind::ProfileUpdated);
    Event { at: NOW, realm, kind, user: Some(user.id), session: None, operator: None, detail: None }
}

fn nth_job(n: u64) -> Job {
    job(&realm("User1"), n, Task::Welcome(user_id(n)))
}

fn token(of: &User, purpose: Purpose) -> OneTimeToken {
    OneTimeToken {
        holder: TokenOwner { realm: of.realm.clone(), purpose, subject: of.id },
        token: digest("token", 1),
        code: None,
        tries_left: 0,
        binding: None,
        created_at: NOW,
        expires_at: NOW + Duration::from_secs(60),
    }
}

fn use_up(token: &OneTimeToken) -> Change {
    Change::UseToken { owner: token.holder.clone(), token: token.token, now: NOW }
}

fn insert(user: &User) -> Change {
    Change::InsertUser(Box::new(user.clone()))
}

async fn commit(records: &Records, work: UnitOfWork) -> Result<Result<(), Refusal>, PortError> {
    Ok(records.database.commit(work).await?.map(|_| ()))
}

async fn a_commit_stores_changes_jobs_and_events(records: &Records) -> Outcome {
    let user = user(&realm("User1"), 1);
    let session = session(&user.realm, 1, 1);
    let work = UnitOfWork { jobs: vec![nth_job(1)], events: vec![event(&user)], ..UnitOfWork::of(insert(&user)) };
    let work = work.with(Change::InsertSession(Box::new(session.clone())));
    assert_eq!(commit(records, work).await?, Ok(()));
    assert_eq!(records.users.find(&user.realm, &user.id).await?, Some(user.clone()));
    assert_eq!(records.sessions.find(&user.realm, &session.id).await?, Some(session));
    assert_eq!(records.jobs.depth().await?.waiting, 1);
    assert_eq!(records.audit.of_user(&user.realm, &user.id, 9).await?, [event(&user)]);
    Ok(())
}

async fn a_refusal_undoes_every_earlier_change(records: &Records) -> Outcome {
    let (old, new) = (user(&realm("User1"), 1), user(&realm("User1"), 2));
    let link = token(&old, Purpose::ResetPassword);
    let work = UnitOfWork::of(insert(&old)).with(Change::PutToken(Box::new(link.clone())));
    assert_eq!(commit(records, work).await?, Ok(()));
    let stale = Change::ReplaceUser { user: Box::new(old.clone()), expected: old.version + 7 };
    let work = UnitOfWork::of(use_up(&link)).with(insert(&new)).with(stale);
    assert_eq!(commit(records, work).await?, Err(Refusal::UserStale));
    assert_eq!(records.users.find(&new.realm, &new.id).await?, None);
    let found = records.tokens.find_valid(&old.realm, Purpose::ResetPassword, &link.token, NOW).await?;
    assert_eq!(found, Some(link));
    Ok(())
}

async fn a_refusal_stores_no_job_and_no_event(records: &Records) -> Outcome {
    let user = user(&realm("User1"), 1);
    let gone = use_up(&token(&user, Purpose::ResetPassword));
    let work = UnitOfWork { jobs: vec![nth_job(1)], events: vec![event(&user)], ..UnitOfWork::of(gone) };
    assert_eq!(commit(records, work).await?, Err(Refusal::TokenGone));
    assert_eq!(records.jobs.depth().await?.waiting, 0);
    assert_eq!(records.audit.of_user(&user.realm, &user.id, 9).await?, []);
    Ok(())
}

async fn jobs_and_events_need_no_change(records: &Records) -> Outcome {
    let user = user(&realm("User1"), 1);
    let work = UnitOfWork { jobs: vec![nth_job(1), nth_job(2)], events: vec![event(&user)], ..UnitOfWork::default() };
    assert_eq!(commit(records, work).await?, Ok(()));
    assert_eq!(records.jobs.depth().await?.waiting, 2);
    assert_eq!(records.audit.of_user(&user.realm, &user.id, 9).await?.len(), 1);
    Ok(())
}

async fn a_removed_registration_takes_its_tokens_along(records: &Records) -> Outcome {
    let registration = crate::samples::registration(&realm("User1"), 1);
    let holder = User { id: registration.id, ..user(&registration.realm, 1) };
    let link = token(&holder, Purpose::VerifyEmail);
    let (realm, email) = (registration.realm.clone(), registration.person.email_index);
    let stored = Change::InsertRegistration { registration: Box::new(registration), limit: 5, now: NOW };
    let put = || Change::PutToken(Box::new(link.clone()));
    assert_eq!(commit(records, UnitOfWork::of(stored).with(put())).await?, Ok(()));
    let removed = records.database.commit(UnitOfWork::of(Change::RemoveRegistrations { realm, email })).await?;
    assert_eq!(removed.map(|removed| removed.registrations), Ok(vec![holder.id]));
    assert_eq!(records.tokens.find(&link.holder, NOW).await?, None);
    Ok(())
}

async fn of_many_that_use_a_token_up_one_has_its_effect(records: &Records) -> Outcome {
    let owner = user(&realm("User1"), 1);
    let link = token(&owner, Purpose::ResetPassword);
    let work = UnitOfWork::of(insert(&owner)).with(Change::PutToken(Box::new(link.clone())));
    assert_eq!(commit(records, work).await?, Ok(()));
    let race = |records: Arc<AllRecords>, n: u64| {
        let work = UnitOfWork { jobs: vec![nth_job(n)], events: vec![event(&owner)], ..UnitOfWork::of(use_up(&link)) };
        async move { Ok(records.database.commit(work).await?.map(|_| ())) }
    };
    let answers = records.race(20, race).await?;
    assert_eq!(count(&answers, &Ok(())), 1, "{answers:?}");
    assert_eq!(count(&answers, &Err(Refusal::TokenGone)), 19);
    assert_eq!(records.jobs.depth().await?.waiting, 1);
    assert_eq!(records.audit.of_user(&owner.realm, &owner.id, 99).await?.len(), 1);
    Ok(())
}

async fn a_session_is_found_with_its_account(records: &Records) -> Outcome {
    let user = user(&realm("User1"), 1);
    let session = session(&user.realm, 1, 1);
    let work = UnitOfWork::of(insert(&user)).with(Change::InsertSession(Box::new(session.clone())));
    assert_eq!(commit(records, work).await?, Ok(()));
    for _ in 0..2 {
        let found = records.sessions.find_with_account(&user.realm, &session.id, &user.id).await?;
        assert_eq!(found, Some((session.clone(), user.clone())));
    }
    let changed = User { version: user.version + 1, phone_verified: !user.phone_verified, ..user.clone() };
    let replace = Change::ReplaceUser { user: Box::new(changed.clone()), expected: user.version };
    assert_eq!(commit(records, UnitOfWork::of(replace)).await?, Ok(()));
    let found = records.sessions.find_with_account(&user.realm, &session.id, &user.id).await?;
    assert_eq!(found, Some((session.clone(), changed)), "a change is seen at once");
    let ended = Change::EndSession { realm: user.realm.clone(), id: session.id, user: user.id };
    assert_eq!(commit(records, UnitOfWork::of(ended)).await?, Ok(()));
    assert_eq!(records.sessions.find_with_account(&user.realm, &session.id, &user.id).await?, None);
    Ok(())
}

async fn a_session_or_an_account_alone_is_not_found(records: &Records) -> Outcome {
    let user = user(&realm("User1"), 1);
    let session = session(&user.realm, 1, 1);
    assert_eq!(commit(records, UnitOfWork::of(insert(&user))).await?, Ok(()));
    assert_eq!(records.sessions.find_with_account(&user.realm, &session.id, &user.id).await?, None);
    let deleted = Change::DeleteUser { realm: user.realm.clone(), id: user.id, expected: user.version };
    let work = UnitOfWork::of(deleted).with(Change::InsertSession(Box::new(session.clone())));
    assert_eq!(commit(records, work).await?, Ok(()));
    assert_eq!(records.sessions.find_with_account(&user.realm, &session.id, &user.id).await?, None);
    Ok(())
}
