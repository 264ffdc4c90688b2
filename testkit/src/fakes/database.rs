//! Commits over the fakes: all of a unit of work, or nothing of it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::fakes::audit_log::FakeAuditLog;
use crate::fakes::credential_store::{self, Credentials, FakeCredentialStore};
use crate::fakes::job_queue::{FakeJobQueue, Queue};
use crate::fakes::login_guard::FakeLoginGuard;
use crate::fakes::one_time_token_store::{self, FakeOneTimeTokenStore, Tokens};
use crate::fakes::registration_store::{self, FakeRegistrationStore, Registrations};
use crate::fakes::session_store::{self, FakeSessionStore, Sessions};
use crate::fakes::undo_store::{self, FakeUndoStore, Undos};
use crate::fakes::user_store::{self, FakeUserStore, Users};
use crate::fakes::webhook_store::{self, FakeWebhookStore, Webhooks};
use crate::faults::{FaultPlan, Faults};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::job::JobSubject;
use portcullis_core::model::login_throttle::FailedLogins;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use std::collections::BTreeMap;

/// The fakes whose records a unit of work changes.
#[derive(Debug, Clone)]
pub struct FakeRecords {
    /// Accounts.
    pub users: Arc<FakeUserStore>,
    /// Pending registrations.
    pub registrations: Arc<FakeRegistrationStore>,
    /// Sessions.
    pub sessions: Arc<FakeSessionStore>,
    /// Links, codes and OTPs.
    pub tokens: Arc<FakeOneTimeTokenStore>,
    /// Undo records.
    pub undos: Arc<FakeUndoStore>,
    /// Service clients and operator tokens.
    pub credentials: Arc<FakeCredentialStore>,
    /// Webhooks.
    pub webhooks: Arc<FakeWebhookStore>,
    /// Jobs.
    pub jobs: Arc<FakeJobQueue>,
    /// Audit events.
    pub audit: Arc<FakeAuditLog>,
    /// Failed logins.
    pub guard: Arc<FakeLoginGuard>,
}

/// Commits to the fakes.
#[derive(Debug)]
pub struct FakeDatabase {
    records: FakeRecords,
    faults: Faults,
}

impl FakeDatabase {
    /// A database over these fakes that breaks as the plan says.
    #[must_use]
    pub fn new(records: FakeRecords, plan: &FaultPlan) -> Self {
        Self { records, faults: Faults::new("database", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
}

/// A copy of the records that the changes are tried on.
struct Draft {
    users: Users,
    registrations: Registrations,
    sessions: Sessions,
    tokens: Tokens,
    undos: Undos,
    credentials: Credentials,
    webhooks: Webhooks,
    jobs: Queue,
    logins: BTreeMap<(Realm, Digest), FailedLogins>,
    committed: Committed,
}

impl Draft {
    fn apply(&mut self, change: Change) -> Result<(), Refusal> {
        match change {
            Change::InsertRegistration { registration, limit, now } => {
                let realm = registration.realm.clone();
                if let Some(id) = registration_store::insert(&mut self.registrations, *registration, limit, now) {
                    self.apply_unconditional(Change::RemoveRegistration { realm, id });
                    self.committed.registrations.push(id);
                }
                Ok(())
            }
            Change::CountRegistrationFailure { realm, id, limit } => {
                let found = self.registrations.get_mut(&(realm.clone(), id)).ok_or(Refusal::RegistrationGone)?;
                found.failures = found.failures.saturating_add(1);
                if found.failures >= limit {
                    self.apply_unconditional(Change::RemoveRegistration { realm, id });
                }
                Ok(())
            }
            Change::InsertUser(user) => user_store::insert(&mut self.users, *user),
            Change::ReplaceUser { user, expected } => user_store::replace(&mut self.users, *user, expected),
            Change::DeleteUser { realm, id, expected } => user_store::delete(&mut self.users, &(realm, id), expected),
            Change::ReplaceSession { session, expected } => {
                session_store::replace(&mut self.sessions, *session, expected)
            }
            Change::EndSession { realm, id, .. } => {
                self.sessions.remove(&(realm, id)).map(|_| ()).ok_or(Refusal::SessionGone)
            }
            Change::UseToken { .. } | Change::SetCode { .. } => one_time_token_store::apply(&mut self.tokens, &change),
            Change::CheckReservation { .. }
            | Change::InsertUndo(_)
            | Change::LimitUndos { .. }
            | Change::ReindexUndo { .. }
            | Change::SetUndoToken { .. }
            | Change::UseUndo { .. }
            | Change::RemoveUndos { .. } => undo_store::apply(&mut self.undos, &change),
            Change::InsertCredential(_) | Change::ReplaceCredential { .. } | Change::RemoveCredential { .. } => {
                credential_store::apply(&mut self.credentials, &change)
            }
            Change::InsertWebhook(_) | Change::ReplaceWebhook { .. } | Change::RemoveWebhook { .. } => {
                webhook_store::apply(&mut self.webhooks, &change)
            }
            Change::RequeueJob { realm, id, now } => self.jobs.requeue(&realm, &id, now),
            Change::RemoveRegistration { .. }
            | Change::RemoveRegistrations { .. }
            | Change::ReindexRegistration { .. }
            | Change::InsertSession(_)
            | Change::EndSessions { .. }
            | Change::PutToken(_)
            | Change::RemoveToken(_)
            | Change::RemoveTokens { .. }
            | Change::ForgetJobs { .. }
            | Change::ForgetLogins { .. } => {
                self.apply_unconditional(change);
                Ok(())
            }
        }
    }

    fn apply_unconditional(&mut self, change: Change) {
        match change {
            Change::RemoveRegistration { realm, id } => {
                self.remove_tokens(&realm, &id);
                self.jobs.forget(&realm, &JobSubject::Subject(id));
                self.registrations.remove(&(realm, id));
            }
            Change::RemoveRegistrations { realm, email } => {
                let removed =
                    self.registrations.extract_if(.., |_, one| registration_store::is_of(one, &realm, &email));
                let removed: Vec<UserId> = removed.map(|((_, id), _)| id).collect();
                for id in &removed {
                    self.remove_tokens(&realm, id);
                    self.jobs.forget(&realm, &JobSubject::Subject(*id));
                }
                self.committed.registrations.extend(removed);
            }
            Change::ReindexRegistration { realm, id, email } => {
                if let Some(found) = self.registrations.get_mut(&(realm, id)) {
                    found.person.email_index = email;
                }
            }
            Change::InsertSession(session) => {
                self.sessions.insert((session.realm.clone(), session.id), *session);
            }
            Change::EndSessions { realm, user, except } => {
                self.committed.sessions += session_store::retain(&mut self.sessions, |session| {
                    session.realm != realm || session.user != user || Some(session.id) == except
                });
            }
            Change::PutToken(token) => {
                self.tokens.insert(token.holder.clone(), *token);
            }
            Change::RemoveToken(owner) => {
                self.tokens.remove(&owner);
            }
            Change::RemoveTokens { realm, subject } => self.remove_tokens(&realm, &subject),
            Change::ForgetJobs { realm, subject } => self.jobs.forget(&realm, &subject),
            Change::ForgetLogins { realm, email } => {
                self.logins.remove(&(realm, email));
            }
            _ => {} // the others are applied by `apply`, which names each
        }
    }

    fn remove_tokens(&mut self, realm: &Realm, subject: &UserId) {
        self.tokens.retain(|owner, _| owner.realm != *realm || owner.subject != *subject);
    }
}

#[async_trait]
impl Database for FakeDatabase {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        self.faults.call("commit", || {
            // always locked in this order
            let mut users = self.records.users.users.lock();
            let mut registrations = self.records.registrations.pending.lock();
            let mut sessions = self.records.sessions.sessions.lock();
            let mut tokens = self.records.tokens.tokens.lock();
            let mut undos = self.records.undos.undos.lock();
            let mut credentials = self.records.credentials.credentials.lock();
            let mut webhooks = self.records.webhooks.webhooks.lock();
            let mut jobs = self.records.jobs.queue.lock();
            let mut logins = self.records.guard.emails.lock();
            let mut draft = Draft {
                users: users.clone(),
                registrations: registrations.clone(),
                sessions: sessions.clone(),
                tokens: tokens.clone(),
                undos: undos.clone(),
                credentials: credentials.clone(),
                webhooks: webhooks.clone(),
                jobs: jobs.clone(),
                logins: logins.clone(),
                committed: Committed::default(),
            };
            for change in work.changes {
                draft.apply(change)?;
            }
            for job in work.jobs {
                let due = job.created_at;
                draft.jobs.put(job, due);
            }
            *users = draft.users;
            *registrations = draft.registrations;
            *sessions = draft.sessions;
            *tokens = draft.tokens;
            *undos = draft.undos;
            *credentials = draft.credentials;
            *webhooks = draft.webhooks;
            *jobs = draft.jobs;
            *logins = draft.logins;
            self.records.audit.events.lock().extend(work.events);
            Ok(draft.committed)
        })
    }
}
