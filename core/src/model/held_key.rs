//! Wrapped keys as a store holds them, for whoever wraps them anew.

use crate::model::realm::Realm;
use crate::model::sealed::WrappedKey;

/// A wrapped key, and the record that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDataKey {
    /// The realm of the record.
    pub realm: Realm,
    /// The sixteen bytes of the record's id: with the realm, where the key belongs.
    pub record: [u8; 16],
    /// Which of several records of that id; 0 where there is one.
    pub part: u32,
    /// The key.
    pub key: WrappedKey,
}

/// A key to be put where another one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReplacement {
    /// What was seen.
    pub seen: StoredDataKey,
    /// The same data key, wrapped anew.
    pub fresh: WrappedKey,
}

/// Some of the keys that records of a kind hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// In the store's own order.
    pub keys: Vec<StoredDataKey>,
    /// Where to go on, in the store's own words; `None` at the end.
    pub behind: Option<String>,
}
