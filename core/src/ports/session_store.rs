//! Where sessions live. A session that is absent is dead: revocation is removal, so it cannot be missed.

use async_trait::async_trait;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::error::PortError;

/// Sessions by id and by user, within a realm. The store keeps expired ones until they are purged; whether a
/// session has expired is the caller's to decide.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session of that id.
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError>;

    /// The session and the account of these ids, if both exist. A cache in front of the store may answer, within
    /// `SESSION_CACHE_TTL`. Whether the two belong together, and whether they are still valid, is for the caller to decide.
    async fn find_with_account(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError>;

    /// A user's sessions, oldest first.
    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError>;

    /// Housekeeping: removes expired sessions. Returns their number.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
