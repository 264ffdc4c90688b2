//! The documents of sessions and accounts, for the session cache in Redis.

pub use crate::mongodb::session_store::{parse as parse_session, print as print_session};
pub use crate::mongodb::user_store::{parse as parse_user, print as print_user};
