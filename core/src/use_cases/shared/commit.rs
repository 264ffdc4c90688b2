//! Commits: the change of a use case, its jobs and its audit events in one port call.

use crate::model::event::{Event, EventKind};
use crate::model::ids::{JobId, SessionId, UserId};
use crate::model::job::{Job, Task};
use crate::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest};
use crate::model::user::User;
use crate::ports::database::{Change, Committed, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;

/// Whether a change may be applied to an account whose credentials changed since the caller was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionCheck {
    /// No: a password reset, a changed password or a logout everywhere came in between.
    MustMatch,
    /// Yes: the change is not the caller's, or concerns no credentials.
    Ignore,
}

/// An updated account and what its commit removed.
pub struct Updated {
    /// As it is stored now.
    pub user: User,
    /// The records that the commit removed.
    pub committed: Committed,
}

impl AuthService {
    /// Commits a unit of work whose conditions nothing can have broken but another request.
    pub(crate) async fn commit(&self, work: UnitOfWork) -> Result<Committed, AuthError> {
        self.ports.database.commit(work).await?.map_err(AuthError::from)
    }

    /// Applies a change to the newest version of an account, and commits it with what follows from it. A lost race is
    /// repeated with the account as it is then.
    ///
    /// # Errors
    /// [`AuthError::NotAuthenticated`] when the account is gone or its credentials changed; those of `change`.
    pub async fn update_account(
        &self,
        user: User,
        check: VersionCheck,
        change: impl Fn(&mut User) -> Result<(), AuthError> + Send + Sync,
        effects: impl Fn(&User) -> UnitOfWork + Send + Sync,
    ) -> Result<Updated, AuthError> {
        self.update_credentials(user, check, change, |_, after| Ok(effects(after))).await
    }

    /// The same for a change that can be undone: `effects` gets the account before the change and after it.
    ///
    /// # Errors
    /// As [`Self::update_account`], and those of `effects`.
    pub(crate) async fn update_credentials(
        &self,
        user: User,
        check: VersionCheck,
        change: impl Fn(&mut User) -> Result<(), AuthError> + Send + Sync,
        effects: impl Fn(&User, &User) -> Result<UnitOfWork, AuthError> + Send + Sync,
    ) -> Result<Updated, AuthError> {
        let Ports { users, database, clock, .. } = &self.ports;
        let mut current = user;
        loop {
            let expected = current.version;
            let mut next = current.clone();
            change(&mut next)?;
            next.version = expected + 1;
            next.updated_at = clock.now();
            let mut work = effects(&current, &next)?;
            work.changes.insert(0, Change::ReplaceUser { user: Box::new(next.clone()), expected });
            match database.commit(work).await? {
                Ok(committed) => return Ok(Updated { user: next, committed }),
                Err(Refusal::UserStale) => {
                    let newest = users.find(&current.realm, &current.id).await?;
                    let same = |newest: &User| {
                        check == VersionCheck::Ignore || newest.credentials_version == current.credentials_version
                    };
                    current = newest.filter(same).ok_or(AuthError::NotAuthenticated)?;
                }
                Err(Refusal::EmailTaken) => return Err(AuthError::NotAuthenticated),
                Err(Refusal::UndoLimit) => return Err(self.too_many_changes(&current).await),
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    /// The changes that end every session, link, code and challenge of an account. The account itself gets a new
    /// credentials version by [`User::end_rights`].
    pub(crate) fn changes_that_end_rights(user: &User) -> Vec<Change> {
        let (realm, id) = (user.realm.clone(), user.id);
        vec![
            Change::EndSessions { realm: realm.clone(), user: id, except: None },
            Change::RemoveTokens { realm, subject: id },
        ]
    }

    /// A job that is due now.
    pub(crate) fn job(&self, realm: &Realm, task: Task) -> Job {
        let id = JobId::random(|bytes| self.ports.randomness.fill(bytes));
        Job { id, realm: realm.clone(), task, attempts: 0, created_at: self.ports.clock.now(), trace: None }
    }

    /// An audit event of now.
    pub(crate) fn event(
        &self,
        realm: &Realm,
        kind: EventKind,
        user: Option<UserId>,
        session: Option<SessionId>,
    ) -> Event {
        Event { at: self.ports.clock.now(), realm: realm.clone(), kind, user, session, operator: None, detail: None }
    }

    /// Commits jobs without any change.
    pub(crate) async fn enqueue(&self, realm: &Realm, task: Task) -> Result<(), AuthError> {
        let work = UnitOfWork { jobs: vec![self.job(realm, task)], ..UnitOfWork::default() };
        self.commit(work).await.map(|_| ())
    }

    /// Appends an audit event that belongs to no change: a refusal, a failed login, a sent message.
    pub(crate) fn record(&self, realm: &Realm, kind: EventKind, user: Option<UserId>, session: Option<SessionId>) {
        self.ports.audit.record(self.event(realm, kind, user, session));
    }

    /// The binding of a reset link.
    pub(crate) fn reset_binding(&self, user: &User) -> Digest {
        self.address_binding(&user.realm, Purpose::ResetPassword, &user.person.email_index, user.credentials_version)
    }

    /// The binding of a link that was sent to an address.
    pub(crate) fn address_binding(
        &self,
        realm: &Realm,
        purpose: Purpose,
        sent_to: &RingDigest,
        version: u64,
    ) -> Digest {
        *self.token_binding(realm, purpose, sent_to.newest().as_bytes(), version).newest()
    }

    /// Whether a link is bound to that address and credentials version. A re-index may have changed the order of the
    /// digests since it was made.
    pub(crate) fn is_bound_to(&self, link: &OneTimeToken, sent_to: &RingDigest, version: u64) -> bool {
        let TokenOwner { realm, purpose, .. } = &link.holder;
        let binding = |address: &Digest| self.token_binding(realm, *purpose, address.as_bytes(), version);
        link.binding.is_some_and(|stored| sent_to.all().any(|address| binding(address).has(&stored)))
    }

    /// Uses up a one-time token, in the same commit as the change that it allows.
    pub(crate) fn use_up(&self, token: &OneTimeToken) -> Change {
        Change::UseToken { owner: token.holder.clone(), token: token.token, now: self.ports.clock.now() }
    }
}
