//! The keys of the MACs in a database of a test.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use portcullis_adapters::crypto::record_macs::RecordMacs;

/// Those of a ring of the keys `[id; 32]`.
#[must_use]
pub fn of_ring(ring: &[u8]) -> Arc<RecordMacs> {
    let ring: Vec<(u32, [u8; 32])> = ring.iter().map(|id| (u32::from(*id), [*id; 32])).collect();
    RecordMacs::new(&ring).expect("keys")
}

/// Those of the secrets that a server has made in a folder.
#[must_use]
pub fn of_folder(folder: &Path) -> Arc<RecordMacs> {
    RecordMacs::new(&[(1, key_of_folder(folder))]).expect("keys")
}

/// The encryption key that a server has made in a folder.
#[must_use]
pub fn key_of_folder(folder: &Path) -> [u8; 32] {
    let secrets = std::fs::read_to_string(folder.join("data/secrets.env")).expect("secrets");
    let key = secrets.lines().find_map(|line| line.strip_prefix("ENCRYPTION_KEY=")).expect("a key");
    URL_SAFE.decode(key.trim()).expect("base64").try_into().expect("32 bytes")
}
