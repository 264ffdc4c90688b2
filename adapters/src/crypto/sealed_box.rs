//! Seals bytes to an X25519 public key, so that only the holder of the private key can read them: ephemeral key agreement,
//! HKDF-SHA-256, AES-256-GCM.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use hkdf::Hkdf;
use portcullis_core::ports::error::PortError;
use sha2::Sha256;
use zeroize::Zeroizing;

const INFO: &[u8] = b"portcullis/sealed-box/v1";
const PUBLIC_KEY_LENGTH: usize = 32;

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoxPublicKey(pub [u8; PUBLIC_KEY_LENGTH]);

/// A private key, wiped when dropped.
pub struct BoxPrivateKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for BoxPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxPrivateKey(redacted)")
    }
}

fn failed(error: impl fmt::Display) -> PortError {
    PortError::new("sealed_box", error.to_string())
}

/// The key for one message: bound to both public keys.
fn message_key(shared: &[u8], ephemeral: &[u8], recipient: &[u8]) -> Result<LessSafeKey, PortError> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [INFO, ephemeral, recipient].concat();
    Hkdf::<Sha256>::new(None, shared).expand(&info, &mut *key).map_err(failed)?;
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).map_err(failed)?))
}

/// The key encrypts one message, so that its nonce is constant.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl BoxPublicKey {
    /// Seals bytes for the holder of the private key. The same context opens them.
    ///
    /// # Errors
    /// When the library refuses the key.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, PortError> {
        let ephemeral = PrivateKey::generate(&X25519).map_err(failed)?;
        let public = ephemeral.compute_public_key().map_err(failed)?;
        let refused = failed("the public key is none of X25519");
        let recipient = UnparsedPublicKey::new(&X25519, &self.0[..]);
        let key =
            agreement::agree(&ephemeral, recipient, refused, |shared| message_key(shared, public.as_ref(), &self.0))?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(nonce(), Aad::from(context), &mut sealed).map_err(failed)?;
        Ok([public.as_ref(), &sealed].concat())
    }
}

impl BoxPrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, PortError> {
        let key = PrivateKey::generate(&X25519).map_err(failed)?;
        let bytes: Curve25519SeedBin<'static> = key.as_be_bytes().map_err(failed)?;
        Ok(Self(Zeroizing::new(bytes.as_ref().try_into().map_err(failed)?)))
    }

    /// From its 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn key(&self) -> Result<PrivateKey, PortError> {
        PrivateKey::from_private_key(&X25519, &*self.0).map_err(failed)
    }

    /// The public key of it.
    ///
    /// # Errors
    /// When the library refuses the key.
    pub fn public(&self) -> Result<BoxPublicKey, PortError> {
        let public = self.key()?.compute_public_key().map_err(failed)?;
        public.as_ref().try_into().map(BoxPublicKey).map_err(failed)
    }

    /// Opens bytes that were sealed for this key with that context; `None` if they were not.
    #[must_use]
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (ephemeral, sealed) = sealed.split_first_chunk::<PUBLIC_KEY_LENGTH>()?;
        let public = self.public().ok()?;
        let peer = UnparsedPublicKey::new(&X25519, &ephemeral[..]);
        let key = agreement::agree(&self.key().ok()?, peer, failed("no public key"), |shared| {
            message_key(shared, ephemeral, &public.0)
        });
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let length = key.ok()?.open_in_place(nonce(), Aad::from(context), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_private_key_with_the_same_context_opens() {
        let (key, other) = (BoxPrivateKey::generate().unwrap(), BoxPrivateKey::generate().unwrap());
        let sealed = key.public().unwrap().seal(b"context", b"a secret").unwrap();
        assert_eq!(key.open(b"context", &sealed).unwrap().as_slice(), b"a secret");
        assert!(key.open(b"another", &sealed).is_none() && other.open(b"context", &sealed).is_none());
        assert_ne!(sealed, key.public().unwrap().seal(b"context", b"a secret").unwrap());
        let again = BoxPrivateKey::from_bytes(*key.as_bytes());
        assert!(again.open(b"context", &sealed).is_some());
        for at in 0..sealed.len() {
            let mut edited = sealed.clone();
            edited[at] ^= 1;
            assert!(key.open(b"context", &edited).is_none(), "byte {at}");
        }
        assert!(key.open(b"context", &sealed[..40]).is_none() && key.open(b"context", &[]).is_none());
    }

    #[test]
    fn a_key_that_is_no_point_is_refused() {
        assert!(BoxPublicKey([0; 32]).seal(b"", b"a secret").is_err());
    }
}
