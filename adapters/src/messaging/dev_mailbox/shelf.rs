//! Where the development mailbox keeps its copies: sealed, so that a store of it sees nobody's data.

use async_trait::async_trait;
use portcullis_core::model::held_key::{KeyPage, KeyReplacement};
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Sealed, WrappedKey};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;

/// One copy of a message. The plain text under `message` is the outbox's own business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The population.
    pub realm: Realm,
    /// Whom it is about.
    pub subject: UserId,
    /// The job that sent it, and the place of the seal.
    pub job: JobId,
    /// Which message of that job.
    pub part: u32,
    /// A key of its own, under the ring.
    pub key: WrappedKey,
    /// The message.
    pub message: Sealed,
    /// When it was sent.
    pub at: Timestamp,
}

/// Keeps the newest copies; older ones fall off.
#[async_trait]
pub trait SentMessageStore: Send + Sync {
    /// Keeps a copy; one of the same job and part is replaced.
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError>;

    /// The newest copies first, `limit` at most.
    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError>;

    /// The wrapped keys of all copies, as `UserStore::keys` hands over those of accounts; `record` is the job.
    async fn keys(&self, after: Option<String>, limit: u32) -> Result<KeyPage, PortError>;

    /// Puts fresh keys where those that were seen still are, as `UserStore::swap_keys` does; how many.
    async fn swap_keys(&self, swaps: Vec<KeyReplacement>) -> Result<u64, PortError>;

    /// Erasure: drops the copies about a subject.
    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError>;
}
