//! The links of the audit log's events, and the signed notes about its chains.

use async_trait::async_trait;

use crate::model::audit::AuditPosition;
use crate::model::audit_chain::{ChainEntry, ChainLink, NewLink, SignedNote};
use crate::model::ids::ChainId;
use crate::ports::error::PortError;

/// Reads events with their links as they are stored, edited ones too, and links those that have no link.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait AuditChainStore: Send + Sync {
    /// Events without a link in the order of the log, `limit` at most: those after a position that an earlier page had.
    async fn unlinked(&self, after: Option<AuditPosition>, limit: u32) -> Result<Vec<ChainEntry>, PortError>;

    /// Links events, all or none. `false`, and nothing is changed, if one of them is gone or has a link already.
    async fn link(&self, links: Vec<NewLink>) -> Result<bool, PortError>;

    /// Events of a chain by their number, and by their position where a number is there twice, `limit` at most: those
    /// after a number and position that an earlier page had.
    async fn linked(
        &self,
        chain: &ChainId,
        after: Option<(u64, AuditPosition)>,
        limit: u32,
    ) -> Result<Vec<ChainEntry>, PortError>;

    /// The link of a chain with the greatest number.
    async fn newest_link(&self, chain: &ChainId) -> Result<Option<ChainLink>, PortError>;

    /// The chains that events have links of.
    async fn linked_chains(&self) -> Result<Vec<ChainId>, PortError>;

    /// How many records of the log neither [`Self::unlinked`] nor [`Self::linked`] can return: somebody has damaged them.
    async fn count_damaged(&self) -> Result<u64, PortError>;

    /// All notes, by chain and kind.
    async fn notes(&self) -> Result<Vec<SignedNote>, PortError>;

    /// Stores a note in the place of the one of its chain and kind.
    async fn put_note(&self, note: SignedNote) -> Result<(), PortError>;
}
