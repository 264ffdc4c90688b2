//! Suspects: numbered events whose tag does not match. A suspect whose tag matches with the number or the position of
//! another suspect was moved; any other was changed.

use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::ChainEntry;
use portcullis_core::model::ids::ChainId;

use crate::audit_chain::chain_key::{ChainKey, Tagged};
use crate::audit_chain::finding::{Finding, FindingKind, Report};

/// The most suspects of a chain that are compared with each other.
const COMPARED: usize = 100;

/// A numbered event whose tag does not match, the key of its number, and the stored tag.
pub struct Suspect {
    pub entry: ChainEntry,
    pub key: ChainKey,
    pub tag: [u8; 32],
}

impl Suspect {
    /// Whether this event was numbered with the number of a suspect, at the position of one of two suspects: its tag is
    /// then the stored tag of the suspect or of the event.
    fn was_numbered_as(&self, number: &Self, positions: [&Self; 2]) -> bool {
        let [first, second] = positions.map(|suspect| suspect.entry.position);
        // on SQLite a position is the time, which moves with the event, and the number of the row, which does not
        [first, second, join(first, second), join(second, first)].into_iter().any(|position| {
            let tag = number.key.tag(Tagged { position, event: self.entry.event.as_ref(), genuine: true });
            tag == number.tag || tag == self.tag
        })
    }

    /// The number that this event had: that of another suspect, or its own at the position of another suspect. `None`
    /// if neither matches.
    fn original_number(&self, others: &[Self]) -> Option<u64> {
        let is_other = |other: &&Self| other.entry.position != self.entry.position;
        let origin = others.iter().filter(is_other).find(|other| self.was_numbered_as(other, [self, other]));
        let own =
            || others.iter().filter(is_other).find(|other| self.was_numbered_as(self, [other, other])).map(|_| self);
        self.entry.event.as_ref()?;
        origin.or_else(own).map(|origin| origin.key.number())
    }
}

/// The first four bytes (the time) of a position, and the rest of another one.
fn join(time: AuditPosition, rest: AuditPosition) -> AuditPosition {
    let [a, b, c, d, ..] = *time.as_bytes();
    let [_, _, _, _, rest @ ..] = *rest.as_bytes();
    let mut bytes = [0; 12];
    for (to, byte) in bytes.iter_mut().zip([a, b, c, d].into_iter().chain(rest)) {
        *to = byte;
    }
    AuditPosition::from_bytes(bytes)
}

/// Adds a finding for each suspect of a chain.
pub fn judge(chain: ChainId, suspects: &[Suspect], report: &mut Report) {
    for suspect in suspects {
        let compared = suspects.get(..COMPARED.min(suspects.len())).unwrap_or_default();
        let (number, position) = (suspect.key.number(), suspect.entry.position);
        let finding = match suspect.original_number(compared) {
            Some(original) if original == number => {
                Finding::new(FindingKind::Moved, "the event was at the position of another one when it was numbered")
            }
            Some(original) => Finding::new(FindingKind::Moved, format!("the event belongs to number {original}")),
            None => Finding::new(FindingKind::Changed, "the event is not the one that was numbered"),
        };
        report.add(finding.of_chain(chain).number(number).at(position));
    }
}
