//! The account and the session behind an access token.

use crate::model::session::Session;
use crate::model::user::User;
use crate::ports::token_signer::AccessClaims;

/// The account and session of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Their account.
    pub user: User,
    /// The session of the token.
    pub session: Session,
    /// The claims of the access token.
    pub claims: AccessClaims,
}
