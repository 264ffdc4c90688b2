//! The statements of signed notes, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::model::audit_chain::{NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use serde::{Deserialize, Serialize};

use crate::crypto::note_signer::{NotePublicKey, NoteSigner};

/// How far a chain was: its last number, and the head after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub chain: String,
    pub number: u64,
    /// The tag of that number, which proves it to the holder of the key only.
    pub tag: String,
}

/// The statement of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Statement {
    /// How a chain began.
    Start { chain: String, at: String, sealed_key: String, ends: Vec<End> },
    /// How far it is.
    Checkpoint { chain: String, at: String, number: u64, head: String },
    /// How much of it was removed after its retention.
    Pruned { chain: String, at: String, number: u64, head: String },
}

impl Statement {
    fn kind(&self) -> NoteKind {
        match self {
            Self::Start { .. } => NoteKind::Start,
            Self::Checkpoint { .. } => NoteKind::Checkpoint,
            Self::Pruned { .. } => NoteKind::Pruned,
        }
    }

    fn chain(&self) -> Option<ChainId> {
        let (Self::Start { chain, .. } | Self::Checkpoint { chain, .. } | Self::Pruned { chain, .. }) = self;
        ChainId::parse(chain)
    }

    /// A signed note of it.
    ///
    /// # Errors
    /// When it has no chain.
    pub fn sign(&self, signer: &NoteSigner) -> Result<SignedNote, PortError> {
        let failed = |what: String| PortError::new("audit_chain", what);
        let text = serde_json::to_string(self).map_err(|error| failed(error.to_string()))?;
        let chain = self.chain().ok_or_else(|| failed("a note has no chain".to_owned()))?;
        Ok(SignedNote { chain, kind: self.kind(), signature: signer.sign(text.as_bytes()), text })
    }

    /// The statement of a note, if one of the keys has signed it and it is about the note's chain.
    pub fn verified(note: &SignedNote, signers: &[NotePublicKey]) -> Option<Self> {
        let statement: Self = serde_json::from_str(&note.text).ok()?;
        let fits = statement.kind() == note.kind && statement.chain() == Some(note.chain);
        (fits && verified_by_any(note, signers)).then_some(statement)
    }
}

/// Whether one of the keys has signed a note.
#[must_use]
pub fn verified_by_any(note: &SignedNote, signers: &[NotePublicKey]) -> bool {
    signers.iter().any(|signer| signer.verifies(note.text.as_bytes(), &note.signature))
}

/// A time as RFC 3339.
pub fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| at.to_string()).unwrap_or_default()
}

/// Bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes from text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// 32 bytes from text.
pub fn decode_32(text: &str) -> Option<[u8; 32]> {
    decode(text)?.try_into().ok()
}
