//! Wrapped data keys as a store holds them, for key rotation.

use crate::model::realm::Realm;
use crate::model::sealed::WrappedKey;

/// The kinds of records that hold a data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// Pending registrations.
    Registrations,
    /// Accounts.
    Users,
    /// The development mailbox.
    SentMessages,
    /// Webhooks: the key is the secret that signs.
    Webhooks,
}

impl RecordKind {
    /// All kinds, in the order of a rotation: a registration may become an account meanwhile, so registrations are first.
    pub const ALL: [Self; 4] = [Self::Registrations, Self::Users, Self::SentMessages, Self::Webhooks];

    /// Its name in every store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registrations => "registrations",
            Self::Users => "users",
            Self::SentMessages => "outbox",
            Self::Webhooks => "webhooks",
        }
    }
}

/// A wrapped key, and the record that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDataKey {
    /// The realm of the record.
    pub realm: Realm,
    /// The sixteen bytes of the record's id. With the realm, they are the associated data of the wrapping.
    pub record: [u8; 16],
    /// Which of several records of that id; 0 where there is one.
    pub part: u32,
    /// The key.
    pub key: WrappedKey,
}

/// The new wrapping of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReplacement {
    /// The key as it was read.
    pub expected: StoredDataKey,
    /// The same data key under another wrapping key.
    pub new: WrappedKey,
}

/// Some of the keys that records of a kind hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// In the store's own order.
    pub keys: Vec<StoredDataKey>,
    /// The cursor of the next page, in the store's own format; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// The outcome of one step of signing under the newest key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignedAgain {
    /// Records under the older key.
    pub found: u64,
    /// Those that verified, and are signed under the newest key now.
    pub signed: u64,
}
