//! The result of a verification.

use std::fmt;

use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::ids::ChainId;
use serde_json::{Value, json};

/// Findings that a report lists; further ones are counted.
const LISTED: usize = 1000;

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// An event is not the one that was numbered.
    Changed,
    /// A number of a chain has no event, or a chain is not there.
    Missing,
    /// An event is at the place of another one.
    Moved,
    /// An event that was not numbered here, or is there twice.
    Added,
    /// The end of a chain is not there.
    Cut,
    /// A signed note is missing, changed or does not fit.
    Note,
}

impl FindingKind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Moved => "moved",
            Self::Added => "added",
            Self::Cut => "cut",
            Self::Note => "note",
        }
    }
}

/// Something that somebody did to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The chain.
    pub chain: Option<ChainId>,
    /// The number in the chain.
    pub number: Option<u64>,
    /// The place in the log.
    pub position: Option<AuditPosition>,
    /// A sentence for people.
    pub detail: String,
}

impl Finding {
    /// A finding about no chain and no event in particular.
    pub(super) fn new(kind: FindingKind, detail: impl Into<String>) -> Self {
        Self { kind, chain: None, number: None, position: None, detail: detail.into() }
    }

    pub(super) fn of_chain(self, chain: ChainId) -> Self {
        Self { chain: Some(chain), ..self }
    }

    pub(super) fn number(self, number: u64) -> Self {
        Self { number: Some(number), ..self }
    }

    pub(super) fn at(self, position: AuditPosition) -> Self {
        Self { position: Some(position), ..self }
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "kind": self.kind.as_str(),
            "chain": self.chain.map(|chain| chain.to_string()),
            "number": self.number,
            "position": self.position.map(|position| position.to_string()),
            "detail": self.detail,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(chain) = self.chain {
            write!(f, "  {chain}")?;
        }
        if let Some(number) = self.number {
            write!(f, "  number {number}")?;
        }
        if let Some(position) = self.position {
            write!(f, "  position {position}")?;
        }
        write!(f, "  {}", self.detail)
    }
}

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains.
    pub chains: u64,
    /// Numbered events that are there.
    pub numbered: u64,
    /// Events that wait for their number.
    pub unnumbered: u64,
    /// Numbers that were removed after their retention.
    pub pruned: u64,
    /// The findings, up to a bound.
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub found: u64,
}

impl Report {
    pub(super) fn add(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        }
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "intact": self.found == 0,
            "chains": self.chains,
            "numbered": self.numbered,
            "unnumbered": self.unnumbered,
            "pruned": self.pruned,
            "found": self.found,
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<Value>>(),
        })
    }
}
