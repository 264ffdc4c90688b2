//! Events whose tag does not fit: one that fits the number or the place of another one was moved, any other was changed.

use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::ChainEntry;
use portcullis_core::model::ids::ChainId;

use crate::audit_chain::chain_key::{ChainKey, Tagged};
use crate::audit_chain::finding::{Finding, FindingKind, Report};

/// Suspects that are compared with each other.
const COMPARED: usize = 100;

/// An event whose tag does not fit, with the key of its number.
pub struct Suspect {
    pub entry: ChainEntry,
    pub key: ChainKey,
    pub tag: [u8; 32],
}

impl Suspect {
    /// Whether this event has the tag of a number, at the place of one of two events.
    fn fits(&self, number: &Self, places: [&Self; 2]) -> bool {
        let [one, other] = places.map(|place| place.entry.position);
        // on SQLite the time in front goes with the event, and the number behind with the row
        [one, other, join(one, other), join(other, one)].into_iter().any(|position| {
            let tag = number.key.tag(Tagged { position, event: self.entry.event.as_ref(), genuine: true });
            tag == number.tag || tag == self.tag
        })
    }

    /// The number that this event had, if it is that of another suspect, or its own at another place.
    fn number_before(&self, others: &[Self]) -> Option<u64> {
        let other = |other: &&Self| other.entry.position != self.entry.position;
        let origin = others.iter().filter(other).find(|other| self.fits(other, [self, other]));
        let own = || others.iter().filter(other).find(|other| self.fits(self, [other, other])).map(|_| self);
        self.entry.event.as_ref()?;
        origin.or_else(own).map(|origin| origin.key.number())
    }
}

/// The time of a position with the rest of another one.
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
        let finding = match suspect.number_before(compared) {
            Some(before) if before == number => {
                Finding::new(FindingKind::Moved, "the event was at the place of another one")
            }
            Some(before) => Finding::new(FindingKind::Moved, format!("the event is the one of number {before}")),
            None => Finding::new(FindingKind::Changed, "the event is not the one that was numbered"),
        };
        report.add(finding.of_chain(chain).number(number).at(position));
    }
}
