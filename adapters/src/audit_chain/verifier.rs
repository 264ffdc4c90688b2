//! Verifies the whole audit log. Servers may be running on the store: an event that is recorded or numbered meanwhile is no
//! finding.

use std::collections::BTreeSet;
use std::collections::HashSet;

use portcullis_core::model::audit_chain::SignedNote;
use portcullis_core::model::ids::ChainId;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::error::PortError;
use zeroize::Zeroizing;

use crate::audit_chain::chain_key::ChainKey;
use crate::audit_chain::claims::{ChainClaims, Claims};
use crate::audit_chain::finding::{Finding, FindingKind, Report};
use crate::audit_chain::walk::{Seen, Walk};
use crate::crypto::note_signer::NotePublicKey;
use crate::crypto::sealed_box::BoxPrivateKey;

/// Entries that are read at once.
const PAGE_SIZE: u32 = 1000;

/// A verification.
pub struct Verifier<'a> {
    /// The store.
    pub store: &'a dyn AuditChainStore,
    /// The private halves of the keys that first keys are sealed to.
    pub keys: &'a [BoxPrivateKey],
    /// The keys that have signed notes.
    pub signers: &'a [NotePublicKey],
    /// Notes from a place that an attacker on the store can't change. May be empty.
    pub exported: &'a [SignedNote],
}

impl Verifier<'_> {
    /// Reads the whole log and compares it with the tags and notes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn verify(&self) -> Result<Report, PortError> {
        let mut report = Report::default();
        // the notes first: what they claim is in the store already
        let stored = self.store.notes().await?;
        let linked = self.store.linked_chains().await?;
        // a chain that began in between
        let stored = if linked.iter().all(|chain| stored.iter().any(|note| note.chain == *chain)) {
            stored
        } else {
            self.store.notes().await?
        };
        let claims = Claims::read(&stored, self.exported, self.signers, &mut report);
        let chains: BTreeSet<ChainId> = linked.into_iter().chain(claims.0.keys().copied()).collect();
        let mut seen = Seen::new();
        let nothing = ChainClaims::default();
        for chain in chains {
            report.chains += 1;
            self.walk(chain, claims.0.get(&chain).unwrap_or(&nothing), &mut seen, &mut report).await?;
        }
        self.read_unlinked(&mut seen, &mut report).await?;
        match self.store.count_damaged().await? {
            0 => {}
            count => report.add(Finding::new(FindingKind::Changed, format!("records that are damaged: {count}"))),
        }
        Ok(report)
    }

    async fn walk(
        &self,
        chain: ChainId,
        claims: &ChainClaims,
        seen: &mut Seen,
        report: &mut Report,
    ) -> Result<(), PortError> {
        let Some(key) = self.first_key(chain, claims, report) else { return Ok(()) };
        let mut walk = Walk::begin(chain, claims, key);
        let (mut after, mut unread) = (None, HashSet::new());
        loop {
            let page = self.store.linked(&chain, after, PAGE_SIZE).await?;
            let last = page.iter().rev().find_map(|last| Some((last.link?.number, last.position)));
            for entry in page {
                if let Some(link) = entry.link {
                    walk.take(entry, link, seen, report);
                } else if unread.insert(entry.position) {
                    let finding = Finding::new(FindingKind::Added, "its number can't be read");
                    report.add(finding.of_chain(chain).at(entry.position));
                }
            }
            let Some(last) = last else { break };
            after = Some(last);
        }
        walk.finish(seen, report);
        Ok(())
    }

    /// The first key of a chain. One that can't be opened is a finding.
    fn first_key(&self, chain: ChainId, claims: &ChainClaims, report: &mut Report) -> Option<ChainKey> {
        let Some(sealed) = &claims.sealed_key else {
            let detail = "the note about the start of this chain is missing: its events can't be verified";
            report.add(Finding::new(FindingKind::Note, detail).of_chain(chain));
            return None;
        };
        let opened = self.keys.iter().find_map(|key| key.open(chain.as_bytes(), sealed));
        let key: Option<[u8; 32]> = opened.and_then(|key| key.as_slice().try_into().ok());
        if key.is_none() {
            let detail = "its first key is sealed to another AUDIT_VERIFY_KEY: its events can't be verified";
            report.add(Finding::new(FindingKind::Note, detail).of_chain(chain));
        }
        key.map(|key| ChainKey::first(chain, Zeroizing::new(key)))
    }

    async fn read_unlinked(&self, seen: &mut Seen, report: &mut Report) -> Result<(), PortError> {
        let mut after = None;
        loop {
            let page = self.store.unlinked(after, PAGE_SIZE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.position);
            for entry in page {
                report.unnumbered += 1;
                let id = entry.event.as_ref().and_then(|event| event.id);
                let finding = if !entry.genuine {
                    Finding::new(FindingKind::Changed, "somebody has changed or added it before it was numbered")
                } else if id.is_some_and(|id| !seen.insert(id)) {
                    Finding::new(FindingKind::Added, "the same event is in the log once more")
                } else {
                    continue;
                };
                report.add(finding.at(entry.position));
            }
        }
    }
}
