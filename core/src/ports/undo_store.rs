//! Where undo records live, and with them the reservations of former addresses.

use async_trait::async_trait;

use crate::model::ids::{UndoId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest};
use crate::model::time::Timestamp;
use crate::model::undo::UndoRecord;
use crate::ports::error::PortError;

/// Undo records by id, by the digest of their link and by account, within a realm. An expired one counts as absent,
/// except to `list`. Sees sealed values only.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait UndoStore: Send + Sync {
    /// The unexpired record of that id.
    async fn find(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<Option<UndoRecord>, PortError>;

    /// The unexpired and unused record of the link with that digest.
    async fn find_by_token(
        &self,
        realm: &Realm,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError>;

    /// The youngest unexpired record that reserves an address. All records that reserve it at one time are of one
    /// account.
    async fn find_reservation(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError>;

    /// All stored records of an account, used and expired ones too, the oldest change first.
    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<UndoRecord>, PortError>;

    /// Takes one of a record's tries, in one atomic step: `false` if none is left or the record is gone, used or expired.
    /// However many race, no more tries are taken than there are.
    async fn take_try(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<bool, PortError>;

    /// Puts a try back that no wrong password has used.
    async fn give_try_back(&self, realm: &Realm, id: &UndoId) -> Result<(), PortError>;

    /// Housekeeping: removes expired records. Returns their number.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
