//! Where accounts live. Sees sealed values only.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::RingDigest;
use crate::model::user::User;
use crate::ports::error::PortError;

/// Some accounts of a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPage {
    /// In the order of their ids.
    pub users: Vec<User>,
    /// The id after which the next page begins; `None` at the end.
    pub next: Option<UserId>,
}

/// Accounts by id and by blind index; both are unique within a realm, decided by the store itself. Each digest of a blind
/// index is unique: two accounts have none in common.
/// A write that was answered with success survives a crash of the process.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait UserStore: Send + Sync {
    /// The account of that id in that realm.
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError>;

    /// The account of that e-mail in that realm: the one whose blind index has a digest in common with `email`.
    async fn find_by_email(&self, realm: &Realm, email: &RingDigest) -> Result<Option<User>, PortError>;

    /// The accounts of a realm in the order of their ids: at most `limit`, those after an id. One that is refused is left
    /// out, so that a page may be shorter or empty before the end. An account that exists during the whole walk is
    /// returned once.
    async fn list(&self, realm: &Realm, after: Option<UserId>, limit: u32) -> Result<AccountPage, PortError>;

    /// Whether an account of any realm has passkeys.
    async fn has_passkeys(&self) -> Result<bool, PortError>;

    /// Whether the store answers at all. For health checks: quick, changes nothing.
    async fn ping(&self) -> Result<(), PortError>;
}
