//! The tamper-evident audit log (docs/audit.md). The writer numbers events in a chain and tags each under a key that it
//! wipes afterwards. The verifier opens the sealed first key of each chain, derives the others, and reports events that
//! were changed, removed, moved or added.

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
