//! The wrapped data keys of all records, for key rotation beside running servers.

use async_trait::async_trait;

use crate::model::stored_key::{KeyPage, KeyReplacement, RecordKind, SignedAgain};
use crate::ports::check_value_store::CheckValueStore;
use crate::ports::error::PortError;

/// Reads the wrapped keys of records page by page, and replaces them one by one. The check values tell which ring the
/// database was written with.
#[async_trait]
pub trait KeyRotationStore: CheckValueStore {
    /// How many records of a kind there are. An estimate for a progress bar: a record with several keys may count once.
    async fn count_keys(&self, kind: RecordKind) -> Result<u64, PortError>;

    /// The wrapped keys of all records of a kind, expired ones too: at most `limit` records, those after a cursor that an
    /// earlier page returned. A record that exists during the whole walk is returned exactly once; one that is inserted
    /// or removed meanwhile may be missed.
    async fn keys(&self, kind: RecordKind, after: Option<String>, limit: u32) -> Result<KeyPage, PortError>;

    /// Compare-and-swap of wrapped keys, one by one: stores the new key where the expected one still is, and changes
    /// nothing else, not the version either. Where the record is gone or has another key by now, nothing happens.
    /// Returns how many were stored.
    async fn replace_keys(&self, kind: RecordKind, replacements: Vec<KeyReplacement>) -> Result<u64, PortError>;

    /// How many records have a MAC under the key of that id. 0 in a store without MACs.
    async fn count_macs(&self, key: u32) -> Result<u64, PortError>;

    /// Signs under the ring's first key what is signed under the key of that id: at most `limit` records of each kind, one
    /// by one, each only where it still is what was read. A record that does not verify is left as it is.
    async fn sign_again(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError>;

    /// Returns when no file of the store has a replaced key any more, as far as the store controls its files.
    async fn purge_replaced_keys(&self) -> Result<(), PortError>;
}
