//! The ports of Portcullis on real technology: a folder a technology, a file a port.

pub mod crypto;
pub mod embedded;
mod job_text;
pub mod limits;
pub mod mail;
pub mod mongo;
pub mod outbox;
pub mod redis;
pub mod rewrap;
pub mod system;
pub mod templates;
pub mod text;
pub mod transfer;
pub mod watchman;
