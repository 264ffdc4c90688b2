//! Where registrations wait for their address to be proven.

use async_trait::async_trait;

use crate::model::held_key::{KeyPage, KeySwap};
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::model::user::Registration;
use crate::ports::error::PortError;

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertRegistration {
    /// Stored, durably.
    Inserted,
    /// The address has `limit` pending registrations already; nothing changed.
    Full,
}

/// Pending registrations. Several may wait for one address; an expired one is as good as absent.
#[async_trait]
pub trait RegistrationStore: Send + Sync {
    /// Stores a registration unless `limit` unexpired ones of the same realm and address wait already.
    /// Of many racing inserts never more than `limit` succeed.
    async fn insert(
        &self,
        registration: Registration,
        limit: u32,
        now: Timestamp,
    ) -> Result<InsertRegistration, PortError>;

    /// The unexpired registration of that id.
    async fn find(&self, realm: &Realm, id: &UserId, now: Timestamp) -> Result<Option<Registration>, PortError>;

    /// The unexpired registrations of an address, oldest first.
    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &Digest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError>;

    /// Moves the expiry of an unexpired registration. Whether there was one.
    async fn extend(
        &self,
        realm: &Realm,
        id: &UserId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, PortError>;

    /// Removes one. Whether there was one.
    async fn remove(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError>;

    /// Removes all of an address, expired ones too; their ids.
    async fn remove_all(&self, realm: &Realm, email: &Digest) -> Result<Vec<UserId>, PortError>;

    /// The wrapped keys of all registrations, expired ones too, some `limit` at a time, those behind a place that an
    /// earlier page named. What is there all the while comes once; what comes or goes meanwhile may be missed.
    async fn keys(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError>;

    /// Compare-and-swap of wrapped keys, one by one: puts the fresh one where the one that was seen still is, and changes
    /// nothing else. Where the registration has gone, or its key is another one by now, nothing happens. How many were
    /// put.
    async fn swap_keys(&self, swaps: Vec<KeySwap>) -> Result<u64, PortError>;

    /// Housekeeping: removes what has expired; how many.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
