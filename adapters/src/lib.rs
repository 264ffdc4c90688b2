//! The ports of Portcullis on real technology: one folder per technology, one file per port.

pub mod audit_chain;
mod authenticated_records;
pub mod backup;
pub mod crypto;
pub mod data_migration;
pub mod erasure_ledger;
mod failed_logins_text;
mod job_text;
pub mod key_rotation;
pub mod limits;
pub mod messaging;
pub mod mongodb;
pub mod network_failure;
pub mod redis;
pub mod reindexing;
pub mod sign_existing;
pub mod sqlite;
pub mod system;
pub mod trace_spans;
pub mod watchman;
pub mod webhooks;
