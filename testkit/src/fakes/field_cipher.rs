//! Sealing by mixing: bound to key and place like the real thing, and worth nothing against an attacker.

use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use crate::fake_mac::{FakeMac, mask};
use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::sealed::{AadContext, DataKey, Sealed, WrappedKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;

const NONCE: usize = 32;
const TAG: usize = 32;

/// Bytes of a ring key's id.
const ID: usize = 4;

/// A cipher under a ring of keys of 64 bits. A fake: anybody could break it.
#[derive(Debug)]
pub struct FakeFieldCipher {
    seed: u64,
    ring: Locked<Vec<u32>>,
    nonces: AtomicU64,
    faults: Faults,
}

impl FakeFieldCipher {
    /// A cipher under a ring of one key, 1, that breaks as the plan says.
    #[must_use]
    pub fn new(seed: u64, plan: &FaultPlan) -> Self {
        Self { seed, ring: Locked::new(vec![1]), nonces: AtomicU64::new(0), faults: Faults::new("field_cipher", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Another ring, by the ids of its keys; the first wraps.
    pub fn rotate(&self, ring: &[u32]) {
        *self.ring.lock() = ring.to_vec();
    }

    /// Looks random, and never comes twice.
    fn fresh(&self, label: &[u8]) -> [u8; 32] {
        let count = self.nonces.fetch_add(1, Ordering::Relaxed);
        FakeMac::new(self.seed).part(label).part(&count.to_le_bytes()).finish()
    }

    fn ring_key(&self, id: u32) -> [u8; 32] {
        FakeMac::new(self.seed).part(b"ring").part(&id.to_be_bytes()).finish()
    }

    fn wrap_under_first(&self, key: &[u8; 32], place: AadContext<'_>) -> WrappedKey {
        let id = self.ring.lock().first().copied().unwrap_or_default();
        let wrapped = self.close(&self.ring_key(id), place, key);
        WrappedKey::from_bytes([&id.to_be_bytes()[..], &wrapped].concat())
    }

    fn close(&self, key: &[u8; 32], place: AadContext<'_>, value: &[u8]) -> Vec<u8> {
        let nonce = self.fresh(b"nonce");
        let body = mask(key, &nonce, value);
        let tag = tag(key, place, &nonce, &body);
        [&nonce[..], &body, &tag].concat()
    }
}

fn tag(key: &[u8], place: AadContext<'_>, nonce: &[u8], body: &[u8]) -> [u8; 32] {
    let AadContext { realm, record, field } = place;
    let bound = FakeMac::new(0).part(b"tag").part(key).part(realm.as_str().as_bytes()).part(record);
    bound.part(field.as_str().as_bytes()).part(nonce).part(body).finish()
}

fn reopen(key: &[u8; 32], place: AadContext<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, PortError> {
    let parts = sealed.split_at_checked(NONCE).and_then(|(nonce, rest)| {
        let (body, kept) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        Some((nonce, body, kept))
    });
    match parts {
        Some((nonce, body, kept)) if tag(key, place, nonce, body) == kept => Ok(Zeroizing::new(mask(key, nonce, body))),
        _ => Err(PortError::new("field_cipher", "it was not sealed here, under this key and so")),
    }
}

impl FieldCipher for FakeFieldCipher {
    fn new_key(&self, place: AadContext<'_>) -> Result<(DataKey, WrappedKey), PortError> {
        self.faults.call("new_key", || {
            let key = self.fresh(b"data key");
            (DataKey::from_bytes(key), self.wrap_under_first(&key, place))
        })
    }

    fn wrap(&self, key: &DataKey, place: AadContext<'_>) -> Result<WrappedKey, PortError> {
        self.faults.call("wrap", || self.wrap_under_first(key.as_bytes(), place))
    }

    fn ring(&self) -> Vec<u32> {
        self.ring.lock().clone()
    }

    fn wrapping_key(&self, wrapped: &WrappedKey) -> Option<u32> {
        wrapped.as_bytes().first_chunk::<ID>().map(|id| u32::from_be_bytes(*id))
    }

    fn unwrap(&self, wrapped: &WrappedKey, place: AadContext<'_>) -> Result<DataKey, PortError> {
        self.faults.call("unwrap", || {
            let absent = || PortError::new("field_cipher", "its key is not in the ring");
            let (id, rest) = wrapped.as_bytes().split_first_chunk::<ID>().ok_or_else(absent)?;
            let id = Some(u32::from_be_bytes(*id)).filter(|id| self.ring.lock().contains(id)).ok_or_else(absent)?;
            let key = reopen(&self.ring_key(id), place, rest)?;
            let key = key.first_chunk().copied();
            key.map(DataKey::from_bytes).ok_or_else(|| PortError::new("field_cipher", "a key has 32 bytes"))
        })?
    }

    fn seal(&self, key: &DataKey, place: AadContext<'_>, value: &[u8]) -> Result<Sealed, PortError> {
        self.faults.call("seal", || Sealed::from_bytes(self.close(key.as_bytes(), place, value)))
    }

    fn open(&self, key: &DataKey, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, PortError> {
        self.faults.call("open", || reopen(key.as_bytes(), place, sealed.as_bytes()))?
    }
}
