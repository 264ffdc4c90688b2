//! Data migration: copies every durable record, sealed as it is, from one store to another.

pub mod canonical_hash;
pub mod error;
pub mod migration;
