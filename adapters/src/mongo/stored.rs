//! Records as bytes, in the shape of their documents: what copies elsewhere are made of.

use mongodb::bson::Document;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;

use crate::mongo::{session_store, user_store};

pub fn write_user(user: &User) -> Option<Vec<u8>> {
    user_store::print(user).to_vec().ok()
}

/// `None` for what another version of this program wrote.
pub fn read_user(bytes: &[u8]) -> Option<User> {
    user_store::parse(&Document::from_reader(bytes).ok()?).ok()
}

pub fn write_session(session: &Session) -> Option<Vec<u8>> {
    session_store::print(session).to_vec().ok()
}

/// `None` for what another version of this program wrote.
pub fn read_session(bytes: &[u8]) -> Option<Session> {
    session_store::parse(&Document::from_reader(bytes).ok()?).ok()
}
