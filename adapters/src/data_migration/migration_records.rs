//! What is moved, in shapes that no store owns. What a later version of Portcullis wrote as text stays text.

use portcullis_core::model::ids::{JobId, SessionId, UserId};
use portcullis_core::model::one_time_token::OneTimeToken;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::{Registration, User};

use crate::messaging::dev_mailbox::shelf::StoredMessage;

/// What a store keeps, in the order it is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// The values by which a database recognises its secrets.
    Checks,
    /// Accounts.
    Users,
    /// Addresses that wait to be proven.
    Registrations,
    /// Logins.
    Sessions,
    /// Links, codes, OTPs.
    OneTimeTokens,
    /// Work that waits, and dead letters.
    Jobs,
    /// The audit log.
    Audit,
    /// Failed logins, an e-mail a record.
    LoginCounts,
    /// Limits that outlast a restart.
    Buckets,
    /// The development mailbox.
    Outbox,
}

impl Collection {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Checks,
        Self::Users,
        Self::Registrations,
        Self::Sessions,
        Self::OneTimeTokens,
        Self::Jobs,
        Self::Audit,
        Self::LoginCounts,
        Self::Buckets,
        Self::Outbox,
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
            Self::Jobs => "jobs",
            Self::Audit => "audit",
            Self::LoginCounts => "login_counts",
            Self::Buckets => "buckets",
            Self::Outbox => "outbox",
        }
    }

    /// The collection of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.as_str() == name)
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A check value by its name.
    Check(String, Vec<u8>),
    /// An account.
    User(Box<User>),
    /// The registrations of an address.
    Registrations(Waiting),
    /// A login.
    Session(Box<Session>),
    /// A right that can be used once.
    OneTimeToken(Box<OneTimeToken>),
    /// A job.
    Job(StoredJob),
    /// An event of the audit log.
    Event(StoredEvent),
    /// Failed logins of an e-mail.
    LoginCounts(LoginCounts),
    /// A limit.
    Bucket(StoredBucket),
    /// A copy in the mailbox.
    Copy(Box<StoredCopy>),
}

/// The registrations that wait for an address, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The population.
    pub realm: Realm,
    /// Blind index of the address.
    pub email: Digest,
    /// Those who wait.
    pub all: Vec<Registration>,
}

/// A job as it is kept: its task may be one that only a later version knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// Its name.
    pub id: JobId,
    /// The population.
    pub realm: Realm,
    /// Whom it is about, if it is about somebody by id.
    pub subject: Option<UserId>,
    /// Or by address.
    pub address: Option<Digest>,
    /// What to do.
    pub task: String,
    /// How often it was begun.
    pub attempts: u32,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it is to be done next.
    pub due_at: Timestamp,
    /// Since when it is a dead letter.
    pub dead_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Twelve bytes that sort as the log does; no part of what happened.
    pub order: [u8; 12],
    /// When.
    pub at: Timestamp,
    /// The population.
    pub realm: Realm,
    /// What.
    pub kind: String,
    /// To whom.
    pub user: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
}

/// Failed logins in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub failures: u32,
    /// When the next try may be.
    pub next_at: Timestamp,
    /// The last change.
    pub touched_at: Timestamp,
}

/// All counts of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginCounts {
    /// The population.
    pub realm: Realm,
    /// Blind index of the e-mail.
    pub email: Digest,
    /// From addresses that never logged in.
    pub strangers: Option<Count>,
    /// From addresses that did.
    pub known: Vec<(Digest, Count)>,
}

/// A limit as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBucket {
    /// The population.
    pub realm: Realm,
    /// The operation.
    pub operation: String,
    /// Who did it, as a digest.
    pub who: Digest,
    /// When the bucket is full again, in milliseconds.
    pub full_at: i64,
}

/// A copy of a message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCopy {
    /// Twelve bytes that sort as the mailbox does; no part of the message.
    pub order: [u8; 12],
    /// The copy.
    pub copy: StoredMessage,
}

/// The order of something that a store numbers, so that it sorts by time elsewhere: seconds, then the number.
#[must_use]
pub fn order_of(at: Timestamp, number: u64) -> [u8; 12] {
    let mut order = [0; 12];
    let seconds = u32::try_from(at.as_secs().max(0)).unwrap_or(u32::MAX);
    for (place, byte) in order.iter_mut().zip(seconds.to_be_bytes().into_iter().chain(number.to_be_bytes())) {
        *place = byte;
    }
    order
}
