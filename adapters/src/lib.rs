//! The ports of Portcullis on real technology: a folder a technology, a file a port.

pub mod crypto;
pub mod embedded;
pub mod mail;
pub mod outbox;
pub mod system;
pub mod templates;
pub mod text;
