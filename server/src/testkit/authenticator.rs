//! An authenticator and its browser in software: makes a passkey and signs with it (WebAuthn Level 3). Tests can make each
//! fact wrong that a server must check. ES256, attestation `none`.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The user was present.
pub const PRESENT: u8 = 0x01;
/// The user was verified, by a PIN or biometrics.
pub const VERIFIED: u8 = 0x04;
/// The credential may be on more than one device, and is.
pub const SYNCED: u8 = 0x08 | 0x10;
/// Credential data follow.
const ATTESTED: u8 = 0x40;

/// An authenticator with one passkey.
pub struct Authenticator {
    key: EcdsaKeyPair,
    credential: Vec<u8>,
    /// The user handle that it stored with the passkey.
    pub user: Option<Vec<u8>>,
    /// The origin that the browser reports.
    pub origin: String,
    /// Another RP ID than that of the options.
    pub rp_id: Option<String>,
    /// The flags of its data.
    pub flags: u8,
    /// The signature counter of the next signature.
    pub counter: u32,
    /// Whether the browser reports a frame of another origin.
    pub cross_origin: bool,
}

/// A response before it is encoded and signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The client data, as JSON.
    pub client_data: Vec<u8>,
    /// The attestation object of a new passkey; the authenticator data of a signature.
    pub data: Vec<u8>,
}

impl Authenticator {
    /// An authenticator in a browser on a page of `origin`. `None`: no key could be made.
    #[must_use]
    pub fn new(origin: &str) -> Option<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()?;
        let mut credential = vec![0; 32];
        aws_lc_rs::rand::fill(&mut credential).ok()?;
        Some(Self {
            key,
            credential,
            user: None,
            origin: origin.to_owned(),
            rp_id: None,
            flags: PRESENT | VERIFIED,
            counter: 0,
            cross_origin: false,
        })
    }

    /// Answers the options of `navigator.credentials.create()`; `None` where they are none.
    pub fn create(&mut self, options: &Value) -> Option<Value> {
        let draft = self.draft_creation(options)?;
        Some(self.creation(&draft))
    }

    /// Answers the options of `navigator.credentials.get()`; `None` where they are none.
    #[must_use]
    pub fn get(&self, options: &Value) -> Option<Value> {
        self.signature(&self.draft_signature(options)?)
    }

    /// The draft of an answer to the options of `navigator.credentials.create()`.
    pub fn draft_creation(&mut self, options: &Value) -> Option<Draft> {
        self.user = Some(URL_SAFE_NO_PAD.decode(options.pointer("/user/id")?.as_str()?).ok()?);
        let mut data = self.data(options.pointer("/rp/id")?.as_str()?, ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential.len()).ok()?.to_be_bytes());
        data.extend(&self.credential);
        data.extend(self.cose_key()?);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).ok()?);
        attestation.extend(data);
        let client_data = self.client_data("webauthn.create", options.get("challenge")?);
        Some(Draft { client_data, data: attestation })
    }

    /// The draft of an answer to the options of `navigator.credentials.get()`.
    #[must_use]
    pub fn draft_signature(&self, options: &Value) -> Option<Draft> {
        let data = self.data(options.get("rpId")?.as_str()?, 0);
        Some(Draft { client_data: self.client_data("webauthn.get", options.get("challenge")?), data })
    }

    /// The response of a new passkey.
    #[must_use]
    pub fn creation(&self, draft: &Draft) -> Value {
        self.credential_json(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(&draft.client_data),
            "attestationObject": URL_SAFE_NO_PAD.encode(&draft.data),
            "transports": ["internal", "smart-card"],
        }))
    }

    /// The response with a signature.
    #[must_use]
    pub fn signature(&self, draft: &Draft) -> Option<Value> {
        let hashed = digest(&SHA256, &draft.client_data);
        let signed = [&draft.data[..], hashed.as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).ok()?;
        Some(self.credential_json(&json!({
            "clientDataJSON": URL_SAFE_NO_PAD.encode(&draft.client_data),
            "authenticatorData": URL_SAFE_NO_PAD.encode(&draft.data),
            "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
            "userHandle": self.user.as_ref().map(|user| URL_SAFE_NO_PAD.encode(user)),
        })))
    }

    /// The passkey with its private key, as text.
    #[must_use]
    pub fn export(&self) -> Option<String> {
        let (key, user) = (self.key.to_pkcs8v1().ok()?, self.user.as_deref().unwrap_or_default());
        let parts = [key.as_ref(), &self.credential, user].map(|part| URL_SAFE_NO_PAD.encode(part));
        Some(format!("{}.{}", parts.join("."), self.flags))
    }

    /// The authenticator with a passkey that `export` wrote, in a browser on a page of `origin`.
    #[must_use]
    pub fn import(origin: &str, text: &str) -> Option<Self> {
        let parts: [&str; 4] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
        let [key, credential, user, flags] = parts;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &decode(key)?).ok()?;
        let user = Some(decode(user)?).filter(|user| !user.is_empty());
        let new = Self::new(origin)?;
        Some(Self { key, credential: decode(credential)?, user, flags: flags.parse().ok()?, ..new })
    }

    fn credential_json(&self, response: &Value) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.credential);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "response": response, "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        let data =
            json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin});
        data.to_string().into_bytes()
    }

    /// The authenticator data up to the counter.
    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(self.flags | flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// The public key: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}.
    fn cose_key(&self) -> Option<Vec<u8>> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point.get(1..)?.split_at_checked(32)?;
        Some([&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], x, b"\x22\x58\x20", y].concat())
    }
}
