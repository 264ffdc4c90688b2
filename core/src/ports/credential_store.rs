//! Where the credentials that operators issue live.

use async_trait::async_trait;

use crate::model::credential::{Credential, CredentialName};
use crate::model::realm::Realm;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// Credentials by realm and name. An expired one stays until it is purged; whether it has expired is for the caller to
/// decide.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// The credential of that name.
    async fn find(&self, realm: &Realm, name: &CredentialName) -> Result<Option<Credential>, PortError>;

    /// All credentials of a realm, by name. One that is refused is left out.
    async fn list(&self, realm: &Realm) -> Result<Vec<Credential>, PortError>;

    /// Housekeeping: removes expired ones. Returns their number.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
