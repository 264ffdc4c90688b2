//! Where sessions live. A session that is absent is dead: revocation is removal, so it cannot be missed.

use async_trait::async_trait;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotateSession {
    /// Stored, durably.
    Rotated,
    /// The stored version is another one; nothing changed.
    Stale,
    /// There is no such session (any more).
    Gone,
}

/// Sessions by id and by user, within a realm. The store keeps expired ones until they are purged; whether a
/// session has expired is the caller's to decide.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Stores a new session, durably.
    async fn insert(&self, session: Session) -> Result<(), PortError>;

    /// The session of that id.
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError>;

    /// Compare-and-swap: stores `session` (which carries its new version) if the stored version is `expected`.
    /// Of many racing rotations of one version, one is `Rotated`. Never brings an ended session back.
    async fn rotate(&self, session: Session, expected: u64) -> Result<RotateSession, PortError>;

    /// A user's sessions, oldest first.
    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError>;

    /// Ends one. Whether there was one; of many racing calls one answers `true`.
    async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError>;

    /// Ends all of a user's but `except`; how many.
    async fn end_all(&self, realm: &Realm, user: &UserId, except: Option<SessionId>) -> Result<u64, PortError>;

    /// Housekeeping: removes what has expired; how many.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
