//! A store with the database that commits to it, so that cases can write as well as read.

use std::ops::Deref;
use std::sync::Arc;

use crate::world::TestWorld;
use portcullis_core::model::ids::{JobId, SessionId, UserId};
use portcullis_core::model::job::{Job, JobSubject};
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::{Registration, User};
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_core::service::Ports;

/// A port that reads, and the database that writes what it reads.
pub struct Records<P: ?Sized> {
    /// The port under test.
    pub port: Arc<P>,
    /// Commits to the same records.
    pub database: Arc<dyn Database>,
}

impl<P: ?Sized> Deref for Records<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

impl<P: ?Sized> Records<P> {
    /// A port of a new world of fakes.
    pub(super) fn of_fakes(port: impl FnOnce(&Ports) -> Arc<P>) -> Self {
        let ports = TestWorld::new(1).ports();
        Self { port: port(&ports), database: ports.database }
    }

    /// Commits one change.
    ///
    /// # Errors
    /// The database's error.
    pub async fn change(&self, change: Change) -> Result<Result<Committed, Refusal>, PortError> {
        self.database.commit(UnitOfWork::of(change)).await
    }

    /// Commits one change that nothing refuses.
    async fn must(&self, change: Change) -> Result<Committed, PortError> {
        self.change(change).await?.map_err(|refusal| PortError::new("database", refusal))
    }
}

/// The outcome without the details of the commit.
fn plain(outcome: Result<Committed, Refusal>) -> Result<(), Refusal> {
    outcome.map(|_| ())
}

impl Records<dyn UserStore> {
    pub(super) async fn insert(&self, user: User) -> Result<Result<(), Refusal>, PortError> {
        self.change(Change::InsertUser(Box::new(user))).await.map(plain)
    }

    pub(super) async fn replace(&self, user: User, expected: u64) -> Result<Result<(), Refusal>, PortError> {
        self.change(Change::ReplaceUser { user: Box::new(user), expected }).await.map(plain)
    }

    /// Whether there was one.
    pub(super) async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        loop {
            let Some(user) = self.port.find(realm, id).await? else { return Ok(false) };
            let change = Change::DeleteUser { realm: realm.clone(), id: *id, expected: user.version };
            match self.change(change).await? {
                Err(Refusal::UserStale) => {}
                outcome => return Ok(outcome.is_ok()),
            }
        }
    }
}

impl Records<dyn SessionStore> {
    pub(super) async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.must(Change::InsertSession(Box::new(session))).await.map(|_| ())
    }

    pub(super) async fn replace(&self, session: Session, expected: u64) -> Result<Result<(), Refusal>, PortError> {
        self.change(Change::ReplaceSession { session: Box::new(session), expected }).await.map(plain)
    }

    /// Whether there was one.
    pub(super) async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError> {
        let user = self.port.find(realm, id).await?.map(|session| session.user);
        let user = user.unwrap_or_else(|| UserId::from_bytes([0; 16]));
        Ok(self.change(Change::EndSession { realm: realm.clone(), id: *id, user }).await?.is_ok())
    }

    /// How many.
    pub(super) async fn end_all(
        &self,
        realm: &Realm,
        user: &UserId,
        except: Option<SessionId>,
    ) -> Result<u64, PortError> {
        let change = Change::EndSessions { realm: realm.clone(), user: *user, except };
        Ok(self.must(change).await?.sessions)
    }
}

impl Records<dyn RegistrationStore> {
    pub(super) async fn insert(
        &self,
        registration: Registration,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, PortError> {
        let registration = Box::new(registration);
        self.change(Change::InsertRegistration { registration, limit, now }).await.map(plain)
    }

    /// Whether there is one.
    pub(super) async fn count_failure(&self, realm: &Realm, id: &UserId, limit: u8) -> Result<bool, PortError> {
        let change = Change::CountRegistrationFailure { realm: realm.clone(), id: *id, limit };
        Ok(self.change(change).await?.is_ok())
    }

    /// Whether there was one.
    pub(super) async fn remove(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        let found = self.port.find(realm, id, Timestamp::from_millis(0)).await?.is_some();
        self.must(Change::RemoveRegistration { realm: realm.clone(), id: *id }).await.map(|_| found)
    }

    /// Their ids.
    pub(super) async fn remove_all(&self, realm: &Realm, email: &RingDigest) -> Result<Vec<UserId>, PortError> {
        let change = Change::RemoveRegistrations { realm: realm.clone(), email: *email };
        Ok(self.must(change).await?.registrations)
    }
}

impl Records<dyn OneTimeTokenStore> {
    pub(super) async fn put(&self, token: OneTimeToken) -> Result<(), PortError> {
        self.must(Change::PutToken(Box::new(token))).await.map(|_| ())
    }

    /// Uses a token up, found by its digest.
    pub(super) async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        let Some(found) = self.port.find_valid(realm, purpose, token, now).await? else { return Ok(None) };
        Ok(self.use_up(&found, now).await?.then_some(found))
    }

    async fn use_up(&self, found: &OneTimeToken, now: Timestamp) -> Result<bool, PortError> {
        let change = Change::UseToken { owner: found.holder.clone(), token: found.token, now };
        Ok(self.change(change).await?.is_ok())
    }

    pub(super) async fn set_code(
        &self,
        owner: &TokenOwner,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let change = Change::SetCode { owner: owner.clone(), token: *token, code, tries, now };
        Ok(self.change(change).await?.is_ok())
    }

    /// Tries a code, and uses the token up if the code is right.
    pub(super) async fn try_code(
        &self,
        of: &CodeLookup,
        code: &Digest,
        now: Timestamp,
    ) -> Result<CodeAttempt, PortError> {
        match self.port.try_code(of, code, now).await? {
            CodeAttempt::Right(token) if !self.use_up(&token, now).await? => Ok(CodeAttempt::Dead),
            attempt => Ok(attempt),
        }
    }

    pub(super) async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        self.must(Change::RemoveTokens { realm: realm.clone(), subject: *subject }).await.map(|_| ())
    }

    pub(super) async fn remove(&self, owner: &TokenOwner) -> Result<(), PortError> {
        self.must(Change::RemoveToken(owner.clone())).await.map(|_| ())
    }
}

impl Records<dyn JobQueue> {
    pub(super) async fn enqueue(&self, job: Job) -> Result<(), PortError> {
        let work = UnitOfWork { jobs: vec![job], ..UnitOfWork::default() };
        self.database.commit(work).await?.map(|_| ()).map_err(|refusal| PortError::new("database", refusal))
    }

    pub(super) async fn forget(&self, realm: &Realm, subject: &JobSubject) -> Result<(), PortError> {
        self.must(Change::ForgetJobs { realm: realm.clone(), subject: *subject }).await.map(|_| ())
    }

    /// Whether there was such a dead letter.
    pub(super) async fn requeue(&self, realm: &Realm, id: &JobId, now: Timestamp) -> Result<bool, PortError> {
        Ok(self.change(Change::RequeueJob { realm: realm.clone(), id: *id, now }).await?.is_ok())
    }
}

impl Records<dyn LoginGuard> {
    pub(super) async fn forget(&self, realm: &Realm, email: &Digest) -> Result<(), PortError> {
        self.must(Change::ForgetLogins { realm: realm.clone(), email: *email }).await.map(|_| ())
    }
}
