//! AES-256-GCM for [`FieldCipher`]: values under data keys, data keys under the ring. The first byte of everything
//! names its format, so that a later format can coexist with it.

use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use portcullis_core::model::sealed::{AadContext, DataKey, Field, Sealed, WrappedKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::randomness::Randomness;
use sha2::Sha256;
use zeroize::Zeroizing;

const PORT: &str = "field_cipher";
/// The only format so far.
const FORMAT: u8 = 1;
const NONCE: usize = 12;

/// The ring, and where nonces come from.
pub struct AesGcmCipher {
    ring: Vec<(u32, Aes256Gcm)>,
    randomness: Arc<dyn Randomness>,
}

impl AesGcmCipher {
    /// A cipher whose first key wraps and whose others still unwrap.
    ///
    /// # Errors
    /// For an empty ring.
    pub fn new(ring: &[(u32, [u8; 32])], randomness: Arc<dyn Randomness>) -> Result<Self, PortError> {
        let wrapping = ring.iter().map(|(id, key)| Ok((*id, cipher(&*derive(key)?)?)));
        let ring: Vec<_> = wrapping.collect::<Result<_, PortError>>()?;
        if ring.is_empty() { Err(PortError::new(PORT, "the ring is empty")) } else { Ok(Self { ring, randomness }) }
    }

    fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        self.randomness.fill(&mut nonce);
        nonce
    }
}

/// Ring keys are never used directly: each purpose has a derived key.
fn derive(key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, PortError> {
    let mut derived = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, key).expand(b"portcullis/wrap-data-key/v1", &mut *derived);
    expanded.map_err(|error| PortError::new(PORT, error.to_string()))?;
    Ok(derived)
}

fn cipher(key: &[u8; 32]) -> Result<Aes256Gcm, PortError> {
    Aes256Gcm::new_from_slice(key).map_err(|error| PortError::new(PORT, error.to_string()))
}

/// Realm, record and field, framed by their lengths: a value opens in its own place only.
fn associated_data(place: &AadContext<'_>) -> Vec<u8> {
    let parts = [place.realm.as_str().as_bytes(), place.record, place.field.as_str().as_bytes()];
    let mut data = Vec::with_capacity(1 + parts.iter().map(|part| 4 + part.len()).sum::<usize>());
    data.push(FORMAT);
    for part in parts {
        data.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        data.extend(part);
    }
    data
}

fn encrypt(cipher: &Aes256Gcm, nonce: [u8; NONCE], place: &AadContext<'_>, plain: &[u8]) -> Result<Vec<u8>, PortError> {
    let payload = Payload { msg: plain, aad: &associated_data(place) };
    cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| PortError::new(PORT, "a value could not be sealed"))
}

fn decrypt(cipher: &Aes256Gcm, bytes: &[u8], place: &AadContext<'_>) -> Result<Zeroizing<Vec<u8>>, PortError> {
    let refused = || PortError::new(PORT, format!("a {} could not be opened", place.field.as_str()));
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or_else(refused)?;
    let payload = Payload { msg: sealed, aad: &associated_data(place) };
    cipher.decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| refused())
}

/// The id of the ring key that wrapped it, and the sealed data key.
fn split(wrapped: &WrappedKey) -> Option<(u32, &[u8])> {
    let (id, rest) = wrapped.as_bytes().strip_prefix(&[FORMAT])?.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*id), rest))
}

impl FieldCipher for AesGcmCipher {
    fn new_key(&self, place: AadContext<'_>) -> Result<(DataKey, WrappedKey), PortError> {
        let mut key = Zeroizing::new([0; 32]);
        self.randomness.fill(&mut *key);
        let key = DataKey::from_bytes(*key);
        let wrapped = self.wrap(&key, place)?;
        Ok((key, wrapped))
    }

    fn wrap(&self, key: &DataKey, place: AadContext<'_>) -> Result<WrappedKey, PortError> {
        let (id, wrapping) = self.ring.first().ok_or_else(|| PortError::new(PORT, "the ring is empty"))?;
        let nonce = self.nonce();
        let mut wrapped = vec![FORMAT];
        wrapped.extend(id.to_be_bytes());
        wrapped.extend(nonce);
        wrapped.extend(encrypt(wrapping, nonce, &AadContext { field: Field::Key, ..place }, key.as_bytes())?);
        Ok(WrappedKey::from_bytes(wrapped))
    }

    fn ring(&self) -> Vec<u32> {
        self.ring.iter().map(|(id, _)| *id).collect()
    }

    fn wrapping_key(&self, wrapped: &WrappedKey) -> Option<u32> {
        split(wrapped).map(|(id, _)| id)
    }

    fn unwrap(&self, wrapped: &WrappedKey, place: AadContext<'_>) -> Result<DataKey, PortError> {
        let malformed = || PortError::new(PORT, "a wrapped key is malformed");
        let (id, rest) = split(wrapped).ok_or_else(malformed)?;
        let known = self.ring.iter().find(|(known, _)| *known == id);
        let (_, wrapping) = known.ok_or_else(|| PortError::new(PORT, format!("key {id} is not in the ring")))?;
        let key = decrypt(wrapping, rest, &AadContext { field: Field::Key, ..place })?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| malformed())?;
        Ok(DataKey::from_bytes(key))
    }

    fn seal(&self, key: &DataKey, place: AadContext<'_>, value: &[u8]) -> Result<Sealed, PortError> {
        let nonce = self.nonce();
        let mut sealed = vec![FORMAT];
        sealed.extend(nonce);
        sealed.extend(encrypt(&cipher(key.as_bytes())?, nonce, &place, value)?);
        Ok(Sealed::from_bytes(sealed))
    }

    fn open(&self, key: &DataKey, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, PortError> {
        let bytes = sealed.as_bytes().strip_prefix(&[FORMAT]);
        let bytes = bytes.ok_or_else(|| PortError::new(PORT, "a sealed value is of a format that is not known"))?;
        decrypt(&cipher(key.as_bytes())?, bytes, &place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::randomness::OsRandomness;
    use portcullis_testkit::samples::realm;

    fn with(ring: &[(u32, [u8; 32])]) -> AesGcmCipher {
        AesGcmCipher::new(ring, Arc::new(OsRandomness)).unwrap()
    }

    #[test]
    fn a_key_outlives_the_one_that_wrapped_it() {
        let (realm, old, new) = (realm("User1"), (1, [1; 32]), (2, [2; 32]));
        let place = AadContext { realm: &realm, record: &[7; 16], field: Field::Key };
        let (key, wrapped) = with(&[old]).new_key(place).unwrap();
        let both = with(&[new, old]);
        assert_eq!((both.ring(), both.wrapping_key(&wrapped)), (vec![2, 1], Some(1)));
        let anew = both.wrap(&both.unwrap(&wrapped, place).unwrap(), place).unwrap();
        assert_eq!((both.wrapping_key(&anew), anew.as_bytes().len()), (Some(2), wrapped.as_bytes().len()));
        assert_eq!(with(&[new]).unwrap(&anew, place).unwrap().as_bytes(), key.as_bytes());
        assert!(with(&[new]).unwrap(&wrapped, place).is_err() && with(&[old]).unwrap(&anew, place).is_err());
        // another key of the same number is another one
        assert!(with(&[(2, [3; 32])]).unwrap(&anew, place).is_err());
    }
}
