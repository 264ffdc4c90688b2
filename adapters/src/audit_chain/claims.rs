//! The claims of signed notes, by chain: its sealed first key, how far it must reach, and the heads and tags on the way.

use std::collections::BTreeMap;

use portcullis_core::model::audit_chain::{NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;

use crate::audit_chain::finding::{Finding, FindingKind, Report};
use crate::audit_chain::notes::{Statement, decode, decode_32};
use crate::crypto::note_signer::NotePublicKey;

/// A proof about one number of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The head after it.
    Head([u8; 32]),
    /// Its tag.
    Tag([u8; 32]),
}

/// The claims about a chain.
#[derive(Debug, Clone, Default)]
pub struct ChainClaims {
    /// The first key, sealed.
    pub sealed_key: Option<Vec<u8>>,
    /// By number; the last one is the least number that the chain must reach.
    pub claims: BTreeMap<u64, Vec<Claim>>,
    /// The last number that was removed after its retention, and the head after it.
    pub pruned: Option<(u64, [u8; 32])>,
}

/// The claims of all notes.
#[derive(Debug, Default)]
pub struct Claims(pub BTreeMap<ChainId, ChainClaims>);

impl Claims {
    /// The claims of stored and exported notes. Unsigned notes, and stored ones that differ from the exported
    /// ones, are findings.
    pub fn read(
        stored: &[SignedNote],
        exported: &[SignedNote],
        signers: &[NotePublicKey],
        report: &mut Report,
    ) -> Self {
        let mut claims = Self::default();
        for (notes, place) in [(stored, "in the store"), (exported, "in the file of checkpoints")] {
            for note in notes {
                match Statement::verified(note, signers) {
                    Some(statement) => claims.add(note.chain, statement),
                    None => report.add(
                        Finding::new(FindingKind::Note, format!("a {} {place} is not signed", note.kind.as_str()))
                            .of_chain(note.chain),
                    ),
                }
            }
        }
        for note in exported.iter().filter(|note| note.kind == NoteKind::Start) {
            let same = |other: &&SignedNote| other.chain == note.chain && other.kind == note.kind;
            if stored.iter().find(same) != Some(note) {
                let what = "the start of a chain that the file of checkpoints has is not in the store";
                report.add(Finding::new(FindingKind::Note, what).of_chain(note.chain));
            }
        }
        if !exported.is_empty() {
            for note in stored.iter().filter(|note| note.kind == NoteKind::Pruned && !exported.contains(note)) {
                let what = "events were removed as expired, and the file of checkpoints does not say so";
                report.add(Finding::new(FindingKind::Note, what).of_chain(note.chain));
            }
        }
        claims
    }

    fn add(&mut self, chain: ChainId, statement: Statement) {
        match statement {
            Statement::Start { sealed_key, ends, .. } => {
                self.0.entry(chain).or_default().sealed_key = decode(&sealed_key);
                for end in ends {
                    if let Some((chain, tag)) = ChainId::parse(&end.chain).zip(decode_32(&end.tag)) {
                        self.claim(chain, end.number, Claim::Tag(tag));
                    }
                }
            }
            Statement::Checkpoint { number, head, .. } => {
                if let Some(head) = decode_32(&head) {
                    self.claim(chain, number, Claim::Head(head));
                }
            }
            Statement::Pruned { number, head, .. } => {
                let of_chain = self.0.entry(chain).or_default();
                let later = of_chain.pruned.is_none_or(|(known, _)| number > known);
                of_chain.pruned = decode_32(&head).filter(|_| later).map(|head| (number, head)).or(of_chain.pruned);
            }
        }
    }

    fn claim(&mut self, chain: ChainId, number: u64, claim: Claim) {
        self.0.entry(chain).or_default().claims.entry(number).or_default().push(claim);
    }
}
