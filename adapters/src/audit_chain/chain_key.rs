//! The key of one number of a chain. The next key follows from it and not the other way round, so that a key that is
//! stolen proves nothing about earlier numbers.

use hkdf::Hkdf;
use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::ChainLink;
use portcullis_core::model::ids::ChainId;
use portcullis_core::model::stored_record::StoredEvent;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::crypto::record_macs::{Authenticated as _, MacInput};

const STEP: &[u8] = b"portcullis/audit-step/v1";

/// The head of a chain without events.
pub const FIRST_HEAD: [u8; 32] = [0; 32];

/// The head of a chain after one more tag.
pub fn next_head(head: &[u8; 32], tag: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(head).chain_update(tag).finalize().into()
}

/// The event that a number gets a tag for. One whose record MAC did not fit when it was numbered is marked as such.
#[derive(Clone, Copy)]
pub struct Tagged<'a> {
    pub position: AuditPosition,
    pub event: Option<&'a StoredEvent>,
    pub genuine: bool,
}

/// The key of the next number of a chain, wiped when it moves on.
#[derive(Clone)]
pub struct ChainKey {
    chain: ChainId,
    number: u64,
    key: Zeroizing<[u8; 32]>,
}

impl ChainKey {
    /// The key of the first number.
    pub const fn first(chain: ChainId, key: Zeroizing<[u8; 32]>) -> Self {
        Self { chain, number: 1, key }
    }

    /// The number that the key is for.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The tag of an event at this number.
    pub fn tag(&self, of: Tagged<'_>) -> [u8; 32] {
        let Some(mut input) = MacInput::under(&self.key) else { return [0; 32] };
        input
            .bytes("chain", self.chain.as_bytes())
            .number("number", self.number)
            .bytes("position", of.position.as_bytes())
            .flag("genuine", of.genuine);
        if let Some(event) = of.event {
            event.add_to(&mut input);
        }
        input.tag()
    }

    /// The link of an event at this number.
    pub fn link(&self, of: Tagged<'_>) -> ChainLink {
        ChainLink { chain: self.chain, number: self.number, tag: self.tag(of) }
    }

    /// Moves on to the next number. The older key is wiped.
    pub fn step(&mut self) {
        let mut next = Zeroizing::new([0; 32]);
        // fails for a key or an output of another length only
        if let Ok(prk) = Hkdf::<Sha256>::from_prk(&*self.key) {
            let _ = prk.expand(STEP, &mut *next);
        }
        self.key = next;
        self.number += 1;
    }
}
