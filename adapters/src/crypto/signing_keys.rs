//! Private keys of asymmetric signatures: derived from a secret, so that all instances agree on them, or read from PEM.

use std::fmt;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use hkdf::Hkdf;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey};
use portcullis_core::ports::error::PortError;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::Sha256;
use zeroize::Zeroizing;

/// DER of PKCS#8 (RFC 8410): version 0, Ed25519, and the head of the 32 bytes that follow.
const ED25519_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// DER of a private key of RFC 5915: version 1, and the head of the 32 bytes that follow.
const EC_PREFIX: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
/// The end of it: the curve P-256.
const EC_SUFFIX: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The kind of a key pair, which decides the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// P-256, for ES256.
    P256,
    /// Ed25519, for `EdDSA`.
    Ed25519,
}

impl KeyKind {
    /// The algorithm of its signatures.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::ES256,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }

    /// The command that makes one.
    #[must_use]
    pub const fn command(self) -> &'static str {
        match self {
            Self::P256 => "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            Self::Ed25519 => "openssl genpkey -algorithm ed25519",
        }
    }
}

/// A private key as PKCS#8, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    kind: KeyKind,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({:?}, redacted)", self.kind)
    }
}

fn failed(error: impl fmt::Display) -> PortError {
    PortError::new("token_signer", error.to_string())
}

impl PrivateKey {
    /// A key derived from a secret by HKDF.
    ///
    /// # Errors
    /// When the library refuses the key.
    pub fn derived(kind: KeyKind, secret: &str) -> Result<Self, PortError> {
        let derive = |info: &[u8]| {
            let mut bytes = Zeroizing::new([0u8; 32]);
            Hkdf::<Sha256>::new(None, secret.as_bytes()).expand(info, &mut *bytes).map_err(failed)?;
            Ok::<_, PortError>(bytes)
        };
        if kind == KeyKind::Ed25519 {
            let seed = derive(b"portcullis/ed25519/v1")?;
            return Ok(Self { kind, pkcs8: Zeroizing::new([&ED25519_PREFIX[..], &seed[..]].concat()) });
        }
        // one number of 2^32 is no private key of P-256: the next one is taken
        let candidates = (0_u8..4).map(|n| derive(&[&b"portcullis/p256/v1/"[..], &[n]].concat()));
        for scalar in candidates {
            let der = Zeroizing::new([&EC_PREFIX[..], &scalar?[..], &EC_SUFFIX[..]].concat());
            if let Some(pkcs8) = p256_pkcs8(&der) {
                return Ok(Self { kind, pkcs8 });
            }
        }
        Err(failed("no private key of P-256 could be derived"))
    }

    /// A key from PEM: PKCS#8, or SEC 1 for P-256.
    ///
    /// # Errors
    /// A text that describes the problem and does not contain the key.
    pub fn from_pem(kind: KeyKind, text: &str) -> Result<Self, &'static str> {
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err("is encrypted with a passphrase");
        }
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| "has no private key in PEM")?;
        let pkcs8 = match kind {
            KeyKind::P256 => p256_pkcs8(der.secret_der()),
            KeyKind::Ed25519 => ed25519_pkcs8(der.secret_der()),
        };
        let other = match kind {
            KeyKind::P256 => "has a key that is none of P-256",
            KeyKind::Ed25519 => "has a key that is none of Ed25519",
        };
        Ok(Self { kind, pkcs8: pkcs8.ok_or(other)? })
    }

    /// The key for signing.
    #[must_use]
    pub fn encoding_key(&self) -> EncodingKey {
        match self.kind {
            KeyKind::P256 => EncodingKey::from_ec_der(&self.pkcs8),
            KeyKind::Ed25519 => EncodingKey::from_ed_der(&self.pkcs8),
        }
    }

    /// The public key (RFC 7517).
    ///
    /// # Errors
    /// When the library refuses the key.
    pub fn public_key(&self, id: u32) -> Result<Jwk, PortError> {
        let mut jwk = Jwk::from_encoding_key(&self.encoding_key(), self.kind.algorithm()).map_err(failed)?;
        jwk.common.key_id = Some(id.to_string());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(jwk)
    }
}

fn p256_pkcs8(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
    Some(Zeroizing::new(pair.to_pkcs8v1().ok()?.as_ref().to_vec()))
}

/// The shortest form: some tools add the public key, which the library would not read.
fn ed25519_pkcs8(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let seed = Ed25519KeyPair::from_pkcs8(der).ok()?.seed().ok()?;
    let bytes: aws_lc_rs::encoding::Curve25519SeedBin<'static> = seed.as_be_bytes().ok()?;
    Some(Zeroizing::new([&ED25519_PREFIX[..], bytes.as_ref()].concat()))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    fn p256() -> EcdsaKeyPair {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
    }

    fn key_type(jwk: &Jwk) -> serde_json::Value {
        let jwk = serde_json::to_value(jwk).unwrap();
        assert!(jwk.get("d").is_none() && jwk["use"] == "sig" && jwk["kid"] == "7", "{jwk}");
        jwk["crv"].clone()
    }

    #[test]
    fn a_derived_key_is_the_same_on_every_instance() {
        for (kind, curve) in [(KeyKind::P256, "P-256"), (KeyKind::Ed25519, "Ed25519")] {
            let [one, again, other] = ["one secret", "one secret", "another"].map(|secret| {
                let jwk = PrivateKey::derived(kind, secret).unwrap().public_key(7).unwrap();
                assert_eq!(key_type(&jwk), curve);
                jwk
            });
            assert!(one == again && one != other);
        }
    }

    #[test]
    fn keys_are_read_in_every_form_of_openssl() {
        let (p256, ed25519) = (p256(), Ed25519KeyPair::generate().unwrap());
        let sec1: aws_lc_rs::encoding::EcPrivateKeyRfc5915Der<'static> = p256.private_key().as_der().unwrap();
        // openssl ecparam writes the curve before the key
        let sec1 = pem("EC PARAMETERS", &EC_SUFFIX[2..]) + &pem("EC PRIVATE KEY", sec1.as_ref());
        let forms = [
            (KeyKind::P256, pem("PRIVATE KEY", p256.to_pkcs8v1().unwrap().as_ref())),
            (KeyKind::P256, sec1),
            (KeyKind::Ed25519, pem("PRIVATE KEY", ed25519.to_pkcs8v1().unwrap().as_ref())),
            (KeyKind::Ed25519, pem("PRIVATE KEY", ed25519.to_pkcs8().unwrap().as_ref())),
        ];
        let keys = forms.map(|(kind, text)| PrivateKey::from_pem(kind, &text).unwrap());
        assert!(keys[0] == keys[1] && keys[2] == keys[3]);
        assert_eq!(format!("{:?}", keys[0]), "PrivateKey(P256, redacted)");
        for key in &keys {
            key_type(&key.public_key(7).unwrap());
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused_in_plain_words() {
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap().to_pkcs8v1().unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        let texts = [p384.as_ref(), ed25519.as_ref(), &[0]].map(|der| pem("PRIVATE KEY", der));
        for text in texts {
            assert_eq!(PrivateKey::from_pem(KeyKind::P256, &text).unwrap_err(), "has a key that is none of P-256");
        }
        let text = pem("PRIVATE KEY", p256().to_pkcs8v1().unwrap().as_ref());
        assert_eq!(PrivateKey::from_pem(KeyKind::Ed25519, &text).unwrap_err(), "has a key that is none of Ed25519");
        for text in [pem("PUBLIC KEY", &[0]), String::new()] {
            assert_eq!(PrivateKey::from_pem(KeyKind::P256, &text).unwrap_err(), "has no private key in PEM");
        }
        let text = pem("ENCRYPTED PRIVATE KEY", &[0]);
        assert_eq!(PrivateKey::from_pem(KeyKind::P256, &text).unwrap_err(), "is encrypted with a passphrase");
    }
}
