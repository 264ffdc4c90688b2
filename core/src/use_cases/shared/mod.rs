//! What several use cases share.

pub mod commit;
pub mod reauthenticate;
