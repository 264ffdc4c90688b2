//! The tamper-evident audit log (docs/audit.md): a writer numbers events in a chain whose keys only move forward, and a
//! verifier with the private half of the sealed first keys names what was changed, removed, moved or added since.

mod chain_key;
pub mod checkpoint_file;
mod claims;
mod finding;
mod notes;
mod suspects;
pub mod verifier;
mod walk;
pub mod writer;

#[cfg(test)]
mod tests;

pub use finding::{Finding, FindingKind, Report};
pub use notes::verified_by_any;
