//! An authenticator and its browser in software: makes a passkey and signs with it (WebAuthn Level 3). Each fact that a
//! server must check can be made wrong. ES256, attestation `none`.

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

impl Authenticator {
    /// An authenticator in a browser on a page of `origin`.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).expect("a key");
        let mut credential = vec![0; 32];
        aws_lc_rs::rand::fill(&mut credential).expect("random bytes");
        Self {
            key,
            credential,
            user: None,
            origin: origin.to_owned(),
            rp_id: None,
            flags: PRESENT | VERIFIED,
            counter: 0,
            cross_origin: false,
        }
    }

    /// Answers the options of `navigator.credentials.create()`.
    ///
    /// # Panics
    /// When the options are none.
    pub fn create(&mut self, options: &Value) -> Value {
        let decode = |text: &Value| URL_SAFE_NO_PAD.decode(text.as_str().expect("a text")).expect("base64");
        self.user = Some(decode(&options["user"]["id"]));
        let mut data = self.data(options["rp"]["id"].as_str().expect("an RP ID"), ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential.len()).expect("a short id").to_be_bytes());
        data.extend(&self.credential);
        data.extend(self.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).expect("short data"));
        attestation.extend(data);
        let response = json!({
            "clientDataJSON": self.client_data("webauthn.create", &options["challenge"]),
            "attestationObject": URL_SAFE_NO_PAD.encode(attestation),
            "transports": ["internal", "smart-card"],
        });
        self.credential_json(&response)
    }

    /// Answers the options of `navigator.credentials.get()`.
    ///
    /// # Panics
    /// When the options are none.
    #[must_use]
    pub fn get(&self, options: &Value) -> Value {
        let data = self.data(options["rpId"].as_str().expect("an RP ID"), 0);
        let client_data = self.client_data("webauthn.get", &options["challenge"]);
        let hashed = digest(&SHA256, &URL_SAFE_NO_PAD.decode(&client_data).expect("base64"));
        let signed = [&data[..], hashed.as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        let response = json!({
            "clientDataJSON": client_data,
            "authenticatorData": URL_SAFE_NO_PAD.encode(data),
            "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
            "userHandle": self.user.as_ref().map(|user| URL_SAFE_NO_PAD.encode(user)),
        });
        self.credential_json(&response)
    }

    fn credential_json(&self, response: &Value) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.credential);
        json!({
            "id": id, "rawId": id, "type": "public-key", "authenticatorAttachment": "platform",
            "response": response, "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> String {
        let data =
            json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin});
        URL_SAFE_NO_PAD.encode(data.to_string())
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
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point.get(1..).expect("an uncompressed point").split_at(32);
        [&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], x, b"\x22\x58\x20", y].concat()
    }
}
