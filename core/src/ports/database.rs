//! The database as a whole: everything that one use case changes is one commit.

use async_trait::async_trait;

use crate::model::credential::{Credential, CredentialName};
use crate::model::event::Event;
use crate::model::ids::{JobId, SessionId, UndoId, UserId, WebhookId};
use crate::model::job::{Job, JobSubject};
use crate::model::one_time_token::{OneTimeToken, TokenOwner};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest};
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::undo::UndoRecord;
use crate::model::user::{Registration, User};
use crate::model::webhook::Webhook;
use crate::ports::error::PortError;

/// One change of one record or of a set of records. A change with a condition refuses the whole commit when the
/// condition does not hold at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Stores a pending registration by [`crate::model::pending_registrations::add_registration`]: one that gives way is
    /// removed with its one-time tokens and jobs.
    InsertRegistration {
        /// The new one.
        registration: Box<Registration>,
        /// How many may be pending for one address.
        limit: u32,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Counts a wrong password given with the link or code of a registration (`RegistrationGone`). The last one that
    /// `limit` allows removes it with its one-time tokens and jobs.
    CountRegistrationFailure {
        /// The realm.
        realm: Realm,
        /// The registration.
        id: UserId,
        /// How many may be wrong.
        limit: u8,
    },
    /// Removes a registration with its one-time tokens and jobs, if it exists.
    RemoveRegistration {
        /// The realm.
        realm: Realm,
        /// The registration.
        id: UserId,
    },
    /// Removes every registration of an address, expired ones too, with their one-time tokens and jobs.
    RemoveRegistrations {
        /// The realm.
        realm: Realm,
        /// The blind index of the address.
        email: RingDigest,
    },
    /// Replaces the blind index of a registration, if it exists. Its address does not change.
    ReindexRegistration {
        /// The realm.
        realm: Realm,
        /// The registration.
        id: UserId,
        /// The blind index of its address.
        email: RingDigest,
    },
    /// Stores a new account (`IdTaken`, `EmailTaken`).
    InsertUser(Box<User>),
    /// Compare-and-swap: stores `user`, which carries its new version, if the stored version is `expected`
    /// (`UserStale`, `UserGone`, `EmailTaken`). The wrapped data key stays as it is stored: a key rotation may have
    /// replaced it since the account was read.
    ReplaceUser {
        /// The account as it becomes.
        user: Box<User>,
        /// The version it replaces.
        expected: u64,
    },
    /// Removes an account if its version is `expected` (`UserStale`, `UserGone`). When the commit is answered, its
    /// wrapped key is in no file of an embedded store any more, so that whatever else remains can't be decrypted.
    DeleteUser {
        /// The realm.
        realm: Realm,
        /// The account.
        id: UserId,
        /// The version it has.
        expected: u64,
    },
    /// Stores a new session.
    InsertSession(Box<Session>),
    /// Compare-and-swap: stores `session`, which carries its new version, if the stored version is `expected`
    /// (`SessionStale`, `SessionGone`).
    ReplaceSession {
        /// The session as it becomes.
        session: Box<Session>,
        /// The version it replaces.
        expected: u64,
    },
    /// Ends a session (`SessionGone`).
    EndSession {
        /// The realm.
        realm: Realm,
        /// The session.
        id: SessionId,
        /// The account that it belongs to: caches are cleared by user.
        user: UserId,
    },
    /// Ends every session of a user but one.
    EndSessions {
        /// The realm.
        realm: Realm,
        /// The user.
        user: UserId,
        /// The session that stays.
        except: Option<SessionId>,
    },
    /// Stores a one-time token; the owner's older one is gone.
    PutToken(Box<OneTimeToken>),
    /// Uses up the unexpired token of that owner and digest (`TokenGone`). Of many racing commits, one succeeds.
    UseToken {
        /// The owner.
        owner: TokenOwner,
        /// The digest of the token.
        token: Digest,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Sets the code of the unexpired token of that owner and digest, with all tries (`TokenGone`).
    SetCode {
        /// The owner.
        owner: TokenOwner,
        /// The digest of the token.
        token: Digest,
        /// The digest of the code.
        code: Digest,
        /// How many tries it has.
        tries: u8,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Removes the token of an owner, if there is one.
    RemoveToken(TokenOwner),
    /// Removes every token of a user or registration, whatever its purpose.
    RemoveTokens {
        /// The realm.
        realm: Realm,
        /// The user or registration.
        subject: UserId,
    },
    /// Erasure: removes every job about a person or an address, dead letters too.
    ForgetJobs {
        /// The realm.
        realm: Realm,
        /// The subject of the jobs.
        subject: JobSubject,
    },
    /// Queues a dead letter again: due at `now`, attempts from zero (`JobGone`).
    RequeueJob {
        /// The realm.
        realm: Realm,
        /// The job.
        id: JobId,
        /// When it is due.
        now: Timestamp,
    },
    /// Erasure: removes the counts of failed logins with an address.
    ForgetLogins {
        /// The realm.
        realm: Realm,
        /// The digest by which they are counted.
        email: Digest,
    },
    /// Refuses the commit (`EmailTaken`) if an unexpired undo record of another account reserves the address. A commit
    /// that gives an account an address has this change.
    CheckReservation {
        /// The realm.
        realm: Realm,
        /// The blind index of the address.
        email: RingDigest,
        /// The account that gets the address.
        user: UserId,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Refuses the commit (`UndoLimit`) if the account has that many unexpired and unused undo records.
    LimitUndos {
        /// The realm.
        realm: Realm,
        /// The account.
        user: UserId,
        /// How many are too many.
        limit: u32,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Stores a new undo record.
    InsertUndo(Box<UndoRecord>),
    /// Replaces the blind index that an undo record reserves, if the record exists and reserves one.
    ReindexUndo {
        /// The realm.
        realm: Realm,
        /// The record.
        id: UndoId,
        /// The blind index of the same address.
        reserved: RingDigest,
    },
    /// Sets the digest of a link in place of an older one's, if the record is unexpired and unused (`UndoGone`).
    SetUndoToken {
        /// The realm.
        realm: Realm,
        /// The record.
        id: UndoId,
        /// The digest of the link.
        token: Digest,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Uses an undo link up, and marks every younger record of its account as used (`UndoGone` if the record is expired,
    /// used or has another link). Of many racing commits, one succeeds.
    UseUndo {
        /// The realm.
        realm: Realm,
        /// The record.
        id: UndoId,
        /// The digest of the link.
        token: Digest,
        /// Records that expire at or before this time are expired.
        now: Timestamp,
    },
    /// Stores a new credential (`IdTaken`).
    InsertCredential(Box<Credential>),
    /// Stores a credential in the place of the one with its name, if that has the expected secret (`CredentialGone`).
    ReplaceCredential {
        /// The credential as it becomes.
        credential: Box<Credential>,
        /// The hash of the secret that it replaces.
        expected: Digest,
    },
    /// Removes a credential (`CredentialGone`).
    RemoveCredential {
        /// The realm.
        realm: Realm,
        /// Its name.
        name: CredentialName,
    },
    /// Stores a new webhook (`IdTaken`).
    InsertWebhook(Box<Webhook>),
    /// Compare-and-swap: stores `webhook`, which carries its new version, if the stored version is `expected`
    /// (`WebhookStale`, `WebhookGone`).
    ReplaceWebhook {
        /// The webhook as it becomes.
        webhook: Box<Webhook>,
        /// The version it replaces.
        expected: u64,
        /// Whether its secret is a new one. Else the stored one stays: a key rotation may have replaced its wrapping since the
        /// webhook was read.
        new_secret: bool,
    },
    /// Removes a webhook (`WebhookGone`).
    RemoveWebhook {
        /// The realm.
        realm: Realm,
        /// Its id.
        id: WebhookId,
    },
    /// Erasure: removes every undo record of an account, and its reservations with them.
    RemoveUndos {
        /// The realm.
        realm: Realm,
        /// The account.
        user: UserId,
    },
}

/// The writes of one use case: changes in their order, the jobs that follow from them, and the audit events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitOfWork {
    /// Applied in this order.
    pub changes: Vec<Change>,
    /// Due from their creation on, which may be in the future, once the commit is visible.
    pub jobs: Vec<Job>,
    /// Audit events.
    pub events: Vec<Event>,
}

impl UnitOfWork {
    /// A unit with one change.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self { changes: vec![change], ..Self::default() }
    }

    /// Adds a change.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Whether there is a job for a worker once it is stored.
    #[must_use]
    pub fn queues_jobs(&self) -> bool {
        !self.jobs.is_empty() || self.changes.iter().any(|change| matches!(change, Change::RequeueJob { .. }))
    }
}

/// Why a commit was refused. Nothing of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The registration does not exist or has expired.
    #[error("the registration is gone")]
    RegistrationGone,
    /// Another account of the realm has the address.
    #[error("another account has the address")]
    EmailTaken,
    /// The id exists already.
    #[error("the id exists already")]
    IdTaken,
    /// The account does not exist.
    #[error("the account is gone")]
    UserGone,
    /// The account has another version.
    #[error("the account has another version")]
    UserStale,
    /// The session does not exist.
    #[error("the session is gone")]
    SessionGone,
    /// The session has another version.
    #[error("the session has another version")]
    SessionStale,
    /// The one-time token does not exist, has expired or is another one.
    #[error("the one-time token is gone")]
    TokenGone,
    /// The undo record does not exist, has expired, was used or has another link.
    #[error("the undo link is gone")]
    UndoGone,
    /// The credential does not exist, or has another secret.
    #[error("the credential is gone")]
    CredentialGone,
    /// The webhook does not exist.
    #[error("the webhook is gone")]
    WebhookGone,
    /// The webhook has another version.
    #[error("the webhook has another version")]
    WebhookStale,
    /// There is no such dead letter.
    #[error("there is no such dead letter")]
    JobGone,
    /// The account has as many undo records as it may have.
    #[error("the account has too many undo records")]
    UndoLimit,
}

/// The effects of a commit that its changes do not name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// The registrations that `RemoveRegistrations` removed, and the one that gave way to `InsertRegistration`.
    pub registrations: Vec<UserId>,
    /// How many sessions `EndSessions` ended.
    pub sessions: u64,
}

/// Commits units of work.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Database: Send + Sync {
    /// Stores all of a unit durably, or nothing of it. Every reader that begins after the answer sees it. Of racing
    /// units with the same condition, one is committed and the others are refused. Dropping the future does not undo the
    /// commit: the unit may or may not be stored.
    ///
    /// # Errors
    /// When the store fails: then the unit may or may not be stored.
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError>;
}
