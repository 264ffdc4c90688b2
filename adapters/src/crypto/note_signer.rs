//! Ed25519 signatures of the audit log's notes (docs/audit.md). Anybody can verify them with the public key.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::ports::error::PortError;

/// The DER of an Ed25519 public key before its 32 bytes (`SubjectPublicKeyInfo`, RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The public key of a [`NoteSigner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotePublicKey(pub [u8; 32]);

impl NotePublicKey {
    /// Whether a signature of a text is valid.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0[..]).verify(text, signature).is_ok()
    }

    /// The key as PEM, for `openssl`.
    #[must_use]
    pub fn pem(&self) -> String {
        let der = [&SPKI_PREFIX[..], &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }
}

/// The private key that signs notes.
pub struct NoteSigner(Ed25519KeyPair);

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoteSigner(redacted)")
    }
}

impl NoteSigner {
    /// A signer with the 32 bytes of the private key.
    ///
    /// # Errors
    /// If the library refuses the bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, PortError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Ok(Self(pair.map_err(|error| PortError::new("note_signer", error.to_string()))?))
    }

    /// Signs a text.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> NotePublicKey {
        NotePublicKey(self.0.public_key().as_ref().try_into().unwrap_or_default())
    }
}
