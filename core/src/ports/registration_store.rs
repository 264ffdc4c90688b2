//! Where registrations wait for their address to be proven.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::RingDigest;
use crate::model::time::Timestamp;
use crate::model::user::Registration;
use crate::ports::error::PortError;

/// Pending registrations. Several may wait for one address; an expired one counts as absent.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait RegistrationStore: Send + Sync {
    /// The unexpired registration of that id.
    async fn find(&self, realm: &Realm, id: &UserId, now: Timestamp) -> Result<Option<Registration>, PortError>;

    /// The unexpired registrations of an address, oldest first: those whose blind index has a digest in common with
    /// `email`.
    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError>;

    /// Housekeeping: removes expired registrations. Returns their number.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
