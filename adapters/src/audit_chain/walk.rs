//! The walk along one chain: each number must have one event whose tag fits, and the heads must be those of the claims.

use std::collections::HashSet;

use portcullis_core::model::audit_chain::{ChainEntry, ChainLink};
use portcullis_core::model::ids::ChainId;

use crate::audit_chain::chain_key::{ChainKey, FIRST_HEAD, Tagged, next_head};
use crate::audit_chain::claims::{ChainClaims, Claim};
use crate::audit_chain::finding::{Finding, FindingKind, Report};
use crate::audit_chain::suspects::{self, Suspect};

/// A number that is this far beyond the chain is made up: the keys in between are not derived.
const LARGEST_GAP: u64 = 10_000_000;

/// The ids of the events that were seen, over all chains.
pub type Seen = HashSet<[u8; 16]>;

/// A walk under way.
pub struct Walk<'a> {
    chain: ChainId,
    claims: &'a ChainClaims,
    key: ChainKey,
    head: [u8; 32],
    /// Whether nothing was found on the way to the head.
    whole: bool,
    /// The entries of one number: more than one if somebody has added some.
    group: Vec<(ChainEntry, ChainLink)>,
    suspects: Vec<Suspect>,
}

impl<'a> Walk<'a> {
    /// A walk that begins with the first number that was not removed after its retention.
    pub fn begin(chain: ChainId, claims: &'a ChainClaims, mut key: ChainKey) -> Self {
        let (pruned, head) = claims.pruned.unwrap_or((0, FIRST_HEAD));
        while key.number() <= pruned {
            key.step();
        }
        Self { chain, claims, key, head, whole: true, group: Vec::new(), suspects: Vec::new() }
    }

    fn found(&mut self, kind: FindingKind, detail: impl Into<String>) -> Finding {
        self.whole = false;
        Finding::new(kind, detail).of_chain(self.chain)
    }

    /// Takes the next entry of the chain.
    pub fn take(&mut self, entry: ChainEntry, link: ChainLink, seen: &mut Seen, report: &mut Report) {
        if self.group.first().is_some_and(|(_, first)| first.number != link.number) {
            self.judge_group(seen, report);
        }
        self.group.push((entry, link));
    }

    /// Judges the entries of one number and moves on to the next one.
    fn judge_group(&mut self, seen: &mut Seen, report: &mut Report) {
        let group = std::mem::take(&mut self.group);
        let Some(number) = group.first().map(|(_, link)| link.number) else { return };
        if number < self.key.number() || number - self.key.number() > LARGEST_GAP {
            for (entry, _) in group {
                let finding = self.found(FindingKind::Added, "the chain has no such number");
                report.add(finding.number(number).at(entry.position));
            }
            return;
        }
        self.miss_until(number, report);
        report.numbered += 1;
        let fits = |(entry, link): &(ChainEntry, ChainLink)| {
            [true, false].iter().any(|genuine| self.fits(entry, link, *genuine))
        };
        let right = group.iter().position(fits).unwrap_or(0);
        for (at, (entry, link)) in group.into_iter().enumerate() {
            if at == right {
                self.judge(entry, link, seen, report);
            } else {
                let finding = self.found(FindingKind::Added, "another event has this number");
                report.add(finding.number(number).at(entry.position));
            }
        }
        self.key.step();
    }

    /// Moves on to a number: those before it are missing.
    fn miss_until(&mut self, number: u64, report: &mut Report) {
        let first = self.key.number();
        if first < number {
            let detail = if first + 1 == number { String::new() } else { format!(" to {}", number - 1) };
            let finding = self.found(FindingKind::Missing, format!("there is no event {first}{detail}"));
            report.add(finding.number(first));
        }
        while self.key.number() < number {
            self.key.step();
        }
    }

    fn fits(&self, entry: &ChainEntry, link: &ChainLink, genuine: bool) -> bool {
        let tagged = Tagged { position: entry.position, event: entry.event.as_ref(), genuine };
        self.key.tag(tagged) == link.tag
    }

    fn judge(&mut self, entry: ChainEntry, link: ChainLink, seen: &mut Seen, report: &mut Report) {
        let (number, position) = (link.number, entry.position);
        let id = entry.event.as_ref().and_then(|event| event.id);
        if self.fits(&entry, &link, true) {
            if !entry.genuine {
                let finding = self.found(FindingKind::Changed, "the MAC of the record was changed");
                report.add(finding.number(number).at(position));
            } else if id.is_some_and(|id| !seen.insert(id)) {
                let finding = self.found(FindingKind::Added, "the same event is in the log once more");
                report.add(finding.number(number).at(position));
            }
        } else if self.fits(&entry, &link, false) {
            let finding = self.found(FindingKind::Changed, "somebody has changed or added it before it was numbered");
            report.add(finding.number(number).at(position));
        } else {
            self.whole = false;
            self.suspects.push(Suspect { entry, key: self.key.clone(), tag: link.tag });
        }
        self.head = next_head(&self.head, &link.tag);
        self.check_claims(number, &link, report);
    }

    fn check_claims(&mut self, number: u64, link: &ChainLink, report: &mut Report) {
        let claims = self.claims.claims.get(&number).cloned().unwrap_or_default();
        let fits = |claim: &Claim| match claim {
            Claim::Head(head) => *head == self.head,
            Claim::Tag(tag) => *tag == link.tag,
        };
        // what was found before explains another head
        if self.whole && !claims.iter().all(fits) {
            let finding = self.found(FindingKind::Note, "the events up to here are not those of a checkpoint");
            report.add(finding.number(number));
        }
    }

    /// Ends the walk: the chain must reach every claim.
    pub fn finish(mut self, seen: &mut Seen, report: &mut Report) {
        self.judge_group(seen, report);
        let last = self.key.number() - 1;
        report.pruned += self.claims.pruned.map_or(0, |(number, _)| number);
        if let Some((claimed, _)) = self.claims.claims.last_key_value().filter(|(claimed, _)| **claimed > last) {
            let detail = format!("the events {} to {claimed} are not there", last + 1);
            let finding = self.found(FindingKind::Cut, detail);
            report.add(finding.number(last + 1));
        }
        suspects::judge(self.chain, &self.suspects, report);
    }
}
