//! The chains of the audit log: each run of an instance numbers events in a chain of its own and gives each a tag, the MAC
//! of its number, its place and its content under a key that is used once. Signed notes tell how a chain began and how
//! far it is.

use crate::model::audit::AuditPosition;
use crate::model::ids::ChainId;
use crate::model::stored_record::StoredEvent;

/// The place of an event in a chain, and the proof of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLink {
    /// The chain.
    pub chain: ChainId,
    /// Its number there; the first one is 1.
    pub number: u64,
    /// The MAC of number, position and content.
    pub tag: [u8; 32],
}

/// A record of the log as a chain sees it. It may have been edited by somebody who can write to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEntry {
    /// Its place in the log.
    pub position: AuditPosition,
    /// The event; `None` where the record is none that Portcullis writes.
    pub event: Option<StoredEvent>,
    /// Whether the MAC of the record fits.
    pub genuine: bool,
    /// Its link, if it has one.
    pub link: Option<ChainLink>,
}

/// A link for an event that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewLink {
    /// The place of the event in the log.
    pub position: AuditPosition,
    /// The link.
    pub link: ChainLink,
}

/// The kind of a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// How a chain began: its sealed first key, and the ends of the chains before it.
    Start,
    /// How far a chain is.
    Checkpoint,
    /// How much of a chain was removed after its retention.
    Pruned,
}

impl NoteKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Start, Self::Checkpoint, Self::Pruned];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Checkpoint => "checkpoint",
            Self::Pruned => "pruned",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A signed statement about a chain. The store keeps the newest of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The chain.
    pub chain: ChainId,
    /// The kind.
    pub kind: NoteKind,
    /// The statement.
    pub text: String,
    /// The Ed25519 signature of the text.
    pub signature: Vec<u8>,
}
