//! A copy as it lies in Redis: sealed under a key that the store keeps with its epoch and throws away with it, so that no
//! old file of Redis' has anything of anyone, and who can write to Redis can forge nothing.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

/// Of the shape of what is copied: a program that writes another one has another number.
const SHAPE: u8 = 1;
const NONCE: usize = 12;

/// Made for one copy and no other: two with the same one are the same.
pub type CopyNonce = [u8; NONCE];

/// The key of copies.
#[derive(Clone, PartialEq, Eq)]
pub struct CopyKey(pub [u8; 32]);

impl std::fmt::Debug for CopyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CopyKey(redacted)")
    }
}

/// What stands in front of every copy of an epoch and a generation. Begins with the letter that scripts know copies by.
pub fn header(epoch: u64, generation: &str) -> Vec<u8> {
    [&[b'C', SHAPE][..], &epoch.to_be_bytes(), generation.as_bytes()].concat()
}

fn payload<'a>(data: &'a [u8], place: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg: data, aad: place }
}

/// The header and what is sealed behind it, bound to its place in Redis.
pub fn seal(key: &CopyKey, header: &[u8], place: &str, nonce: CopyNonce, copy: &[u8]) -> Option<Vec<u8>> {
    let place = [header, place.as_bytes()].concat();
    let sealed = Aes256Gcm::new_from_slice(&key.0).ok()?.encrypt(&Nonce::from(nonce), payload(copy, &place)).ok()?;
    Some([header, &nonce, &sealed].concat())
}

/// What was sealed, and its nonce; `None` for anything else.
pub fn open(key: &CopyKey, header: &[u8], place: &str, value: &[u8]) -> Option<(CopyNonce, Vec<u8>)> {
    let (nonce, sealed) = value.strip_prefix(header)?.split_first_chunk::<NONCE>()?;
    let place = [header, place.as_bytes()].concat();
    let opened = Aes256Gcm::new_from_slice(&key.0).ok()?.decrypt(&Nonce::from(*nonce), payload(sealed, &place)).ok()?;
    Some((*nonce, opened))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_in_its_place_under_its_key_and_nowhere_else() {
        let (key, header) = (CopyKey([7; 32]), header(1, "generation"));
        let sealed = seal(&key, &header, "user:1", [1; 12], b"a record").unwrap();
        assert_eq!(open(&key, &header, "user:1", &sealed), Some(([1; 12], b"a record".to_vec())));
        assert_eq!(open(&key, &header, "user:2", &sealed), None);
        assert_eq!(open(&CopyKey([8; 32]), &header, "user:1", &sealed), None);
        assert_eq!(open(&key, &super::header(2, "generation"), "user:1", &sealed), None);
        assert_eq!(open(&key, &header, "user:1", sealed.get(..20).unwrap()), None);
    }
}
