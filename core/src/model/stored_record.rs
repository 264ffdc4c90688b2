//! Every durable record in the form that a data migration carries from one store to another. Text that a later version
//! of Portcullis wrote stays text.

use crate::model::credential::Credential;
use crate::model::event::{Event, EventKind};
use crate::model::event_detail::EventDetail;
use crate::model::ids::{JobId, SessionId, UserId};
use crate::model::login_throttle::FailedLogins;
use crate::model::one_time_token::OneTimeToken;
use crate::model::operator_note::{OperatorNote, Reason};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::sent_message::StoredMessage;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::undo::UndoRecord;
use crate::model::user::{Registration, User};
use crate::model::webhook::Webhook;

/// The collections of a store, in the order of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// The values by which a database recognises the secrets it was written with.
    Checks,
    /// Accounts.
    Users,
    /// Pending registrations.
    Registrations,
    /// Sessions.
    Sessions,
    /// One-time tokens: links, codes and OTPs.
    OneTimeTokens,
    /// Undo records.
    UndoRecords,
    /// Service clients and operator tokens.
    Credentials,
    /// Webhooks.
    Webhooks,
    /// Queued jobs and dead letters.
    Jobs,
    /// The audit log.
    Audit,
    /// Failed logins: one record per e-mail.
    LoginCounts,
    /// Rate limits that survive a restart.
    Buckets,
    /// The development mailbox.
    SentMessages,
}

impl Collection {
    /// All collections.
    pub const ALL: [Self; 13] = [
        Self::Checks,
        Self::Users,
        Self::Registrations,
        Self::Sessions,
        Self::OneTimeTokens,
        Self::UndoRecords,
        Self::Credentials,
        Self::Webhooks,
        Self::Jobs,
        Self::Audit,
        Self::LoginCounts,
        Self::Buckets,
        Self::SentMessages,
    ];

    /// Its name in every store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Users => "users",
            Self::Registrations => "registrations",
            Self::Sessions => "sessions",
            Self::OneTimeTokens => "one_time_tokens",
            Self::UndoRecords => "undo_records",
            Self::Credentials => "credentials",
            Self::Webhooks => "webhooks",
            Self::Jobs => "jobs",
            Self::Audit => "audit",
            Self::LoginCounts => "login_counts",
            Self::Buckets => "buckets",
            Self::SentMessages => "outbox",
        }
    }

    /// The collection of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.as_str() == name)
    }
}

/// Some records of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// In the store's own order.
    pub records: Vec<Record>,
    /// The cursor after the last of them, in the store's own format.
    pub cursor: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Record {
    /// A check value by its name.
    Check(String, Vec<u8>),
    /// An account.
    User(Box<User>),
    /// The registrations of an address.
    Registrations(PendingRegistrations),
    /// A session.
    Session(Box<Session>),
    /// A one-time token.
    OneTimeToken(Box<OneTimeToken>),
    /// An undo record.
    Undo(Box<UndoRecord>),
    /// A service client or an operator token.
    Credential(Box<Credential>),
    /// A webhook.
    Webhook(Box<Webhook>),
    /// A job.
    Job(StoredJob),
    /// An event of the audit log.
    Event(StoredEvent),
    /// Failed logins of an e-mail.
    LoginCounts(LoginCounts),
    /// A rate limit.
    Bucket(StoredBucket),
    /// A copy of a sent message.
    SentMessage(Box<OrderedMessage>),
}

impl Record {
    /// The collection it belongs to.
    #[must_use]
    pub const fn collection(&self) -> Collection {
        match self {
            Self::Check(..) => Collection::Checks,
            Self::User(_) => Collection::Users,
            Self::Registrations(_) => Collection::Registrations,
            Self::Session(_) => Collection::Sessions,
            Self::OneTimeToken(_) => Collection::OneTimeTokens,
            Self::Undo(_) => Collection::UndoRecords,
            Self::Credential(_) => Collection::Credentials,
            Self::Webhook(_) => Collection::Webhooks,
            Self::Job(_) => Collection::Jobs,
            Self::Event(_) => Collection::Audit,
            Self::LoginCounts(_) => Collection::LoginCounts,
            Self::Bucket(_) => Collection::Buckets,
            Self::SentMessage(_) => Collection::SentMessages,
        }
    }
}

/// The pending registrations of an address, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PendingRegistrations {
    /// The realm.
    pub realm: Realm,
    /// Blind index of the address.
    pub email: Digest,
    /// The registrations.
    pub registrations: Vec<Registration>,
}

/// A job as a store has it: its task may be one that only a later version knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredJob {
    /// Its id.
    pub id: JobId,
    /// The realm.
    pub realm: Realm,
    /// The account or registration it is about, if any.
    pub subject: Option<UserId>,
    /// The address it is about, if any.
    pub address: Option<Digest>,
    /// The task, as text.
    pub task: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// When it became a dead letter.
    pub dead_at: Option<Timestamp>,
    /// Why it is a dead letter.
    pub reason: Option<String>,
}

/// An audit event as a store has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredEvent {
    /// Twelve bytes that sort as the log does. Not part of the event.
    pub order: [u8; 12],
    /// Random bytes by which a copy of it is recognised; events of older versions have none.
    pub id: Option<[u8; 16]>,
    /// When it happened.
    pub at: Timestamp,
    /// The realm.
    pub realm: Realm,
    /// The kind of event.
    pub kind: String,
    /// The account.
    pub user: Option<UserId>,
    /// The session.
    pub session: Option<SessionId>,
    /// The operator who did it.
    pub operator: Option<String>,
    /// The operator's reason.
    pub reason: Option<String>,
    /// More about it.
    pub detail: Option<String>,
}

impl StoredEvent {
    /// An event that has no place in a log and no id yet.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let Event { at, realm, kind, user, session, operator, detail } = event;
        let kind = kind.as_str().to_owned();
        let reason = operator.as_ref().and_then(OperatorNote::reason).map(str::to_owned);
        let operator = operator.as_ref().map(|note| note.operator.clone());
        let detail = detail.as_ref().map(|detail| detail.as_str().to_owned());
        let (realm, user, session) = (realm.clone(), *user, *session);
        Self { order: [0; 12], id: None, at: *at, realm, kind, user, session, operator, reason, detail }
    }

    /// The event; `None` for one of a kind that a later version wrote.
    #[must_use]
    pub fn event(self) -> Option<Event> {
        let Self { order: _, id: _, at, realm, kind, user, session, operator, reason, detail } = self;
        let reason = reason.map(Reason::from_stored);
        let operator = operator.map(|operator| OperatorNote { operator, reason });
        let detail = detail.map(EventDetail::from_stored);
        EventKind::parse(&kind).map(|kind| Event { at, realm, kind, user, session, operator, detail })
    }
}

/// All failed logins of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginCounts {
    /// The realm.
    pub realm: Realm,
    /// Blind index of the e-mail.
    pub email: Digest,
    /// The failed logins.
    pub failed: FailedLogins,
}

/// A rate limit as a store has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredBucket {
    /// The realm.
    pub realm: Realm,
    /// The operation.
    pub operation: String,
    /// Digest of the caller.
    pub who: Digest,
    /// When the bucket is full again, in milliseconds.
    pub full_at: i64,
}

/// A copy of a message, with its place in the mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrderedMessage {
    /// Twelve bytes that sort as the mailbox does. Not part of the message.
    pub order: [u8; 12],
    /// The copy.
    pub message: StoredMessage,
}
