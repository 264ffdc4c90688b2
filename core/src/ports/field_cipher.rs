//! Sealing: a person's values under the person's own key, that key under the server's ring.

use zeroize::Zeroizing;

use crate::model::sealed::{AadContext, DataKey, Sealed, WrappedKey};
use crate::ports::error::PortError;

/// AES-256-GCM with a random nonce; the key's id stands in front; realm, record and field are associated data, so
/// that opening in another place fails. Quick and pure: no method waits.
pub trait FieldCipher: Send + Sync {
    /// A fresh data key, open and wrapped under the ring's first key. `place.field` is `Field::Key`.
    ///
    /// # Errors
    /// When the library fails.
    fn new_key(&self, place: AadContext<'_>) -> Result<(DataKey, WrappedKey), PortError>;

    /// Wraps an open key under the ring's first key, whichever wrapped it before. `place.field` is `Field::Key`.
    ///
    /// # Errors
    /// When the library fails.
    fn wrap(&self, key: &DataKey, place: AadContext<'_>) -> Result<WrappedKey, PortError>;

    /// The ids of the ring's keys. The first wraps; all unwrap.
    fn ring(&self) -> Vec<u32>;

    /// The id of the key that wrapped this one, in the ring or not; `None` for what no version of ours wrapped. A look at
    /// the first bytes: whether it can be unwrapped, only unwrapping says.
    fn wrapping_key(&self, wrapped: &WrappedKey) -> Option<u32>;

    /// Opens a wrapped key with whichever key of the ring wrapped it.
    ///
    /// # Errors
    /// When no key of the ring did, or a bit or the place is another one.
    fn unwrap(&self, wrapped: &WrappedKey, place: AadContext<'_>) -> Result<DataKey, PortError>;

    /// Whether a key lies under the ring's first key.
    fn is_newest(&self, wrapped: &WrappedKey) -> bool {
        let id = self.wrapping_key(wrapped);
        id.is_some() && id == self.ring().first().copied()
    }

    /// The same data key under the ring's first key.
    ///
    /// # Errors
    /// As `unwrap` and `wrap`.
    fn rewrap(&self, wrapped: &WrappedKey, place: AadContext<'_>) -> Result<WrappedKey, PortError> {
        self.wrap(&self.unwrap(wrapped, place)?, place)
    }

    /// Seals a value. The same value never seals to the same bytes.
    ///
    /// # Errors
    /// When the library fails.
    fn seal(&self, key: &DataKey, place: AadContext<'_>, value: &[u8]) -> Result<Sealed, PortError>;

    /// Opens a value.
    ///
    /// # Errors
    /// When a bit of it, its key or its place is another one.
    fn open(&self, key: &DataKey, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, PortError>;
}
