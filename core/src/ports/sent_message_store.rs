//! Where the development mailbox stores sealed copies of messages.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sent_message::StoredMessage;
use crate::ports::error::PortError;

/// The newest copies; a store may drop older ones.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait SentMessageStore: Send + Sync {
    /// Stores a copy, replacing the one of the same job and part.
    async fn put(&self, copy: StoredMessage) -> Result<(), PortError>;

    /// The newest copies first, `limit` at most.
    async fn newest(&self, limit: u32) -> Result<Vec<StoredMessage>, PortError>;

    /// Erasure: removes the copies about a subject.
    async fn forget(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError>;
}
