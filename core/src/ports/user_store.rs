//! Where accounts live. Sees sealed values only.

use async_trait::async_trait;

use crate::model::held_key::{KeyPage, KeyReplacement};
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::user::User;
use crate::ports::error::PortError;

/// Accounts by id and by blind index; both are unique within a realm, decided by the store itself.
/// What is answered with success survives the death of the process.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait UserStore: Send + Sync {
    /// The account of that id in that realm.
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError>;

    /// The account of that e-mail in that realm.
    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError>;

    /// The wrapped keys of all accounts, some `limit` at a time, those behind a place that an earlier page named. What is
    /// there all the while comes once; what comes or goes meanwhile may be missed.
    async fn keys(&self, after: Option<String>, limit: u32) -> Result<KeyPage, PortError>;

    /// Compare-and-swap of wrapped keys, one by one: puts the fresh one where the one that was seen still is, and changes
    /// nothing else, not the version either. Where the account has gone, or its key is another one by now, nothing
    /// happens. How many were put.
    async fn swap_keys(&self, swaps: Vec<KeyReplacement>) -> Result<u64, PortError>;

    /// Whether the store answers at all. For health checks: quick, changes nothing.
    async fn ping(&self) -> Result<(), PortError>;
}
