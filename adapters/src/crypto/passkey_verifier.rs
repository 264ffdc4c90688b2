//! [`PasskeyVerifier`] with webauthn-rs. No state of the library is stored between the two requests of a ceremony: each
//! verification makes a new state and puts the caller's challenge into it (ADR 12).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::passkey::{PasskeyCredential, PresentedPasskey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::passkey_verifier::{PasskeyChallenge, PasskeyOwner, PasskeyRefused, PasskeyVerifier};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    COSEAlgorithm, COSEKey, COSEKeyType, Credential, DiscoverableAuthentication, ECDSACurve, ParsedAttestation,
    Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn,
    WebauthnBuilder,
};

use crate::crypto::passkey_structure::{check_attestation, check_authenticator_data, check_client_data, check_type};

const PORT: &str = "passkey_verifier";
/// The maximum length of a credential id, in bytes (WebAuthn Level 3, section 7.1, step 25).
const MAX_CREDENTIAL_ID: usize = 1023;

/// Verifies passkeys of one RP ID.
pub struct WebauthnVerifier {
    webauthn: Webauthn,
    timeout_ms: u64,
}

impl WebauthnVerifier {
    /// A verifier for an RP ID and the origins of its pages and apps. The host of the first origin
    /// is the RP ID or a subdomain of it.
    ///
    /// # Errors
    /// If there is no origin, an origin is no URL, or the host of the first one is not the RP ID or a subdomain of it.
    pub fn new(rp_id: &str, rp_name: &str, origins: &[String]) -> Result<Self, PortError> {
        let origins = origins.iter().map(|origin| Url::parse(origin)).collect::<Result<Vec<Url>, _>>();
        let origins = origins.map_err(|error| PortError::new(PORT, error))?;
        let (first, others) = origins.split_first().ok_or_else(|| PortError::new(PORT, "no origin"))?;
        let builder = WebauthnBuilder::new(rp_id, first).map_err(failed)?.rp_name(rp_name);
        let builder = others.iter().fold(builder, WebauthnBuilder::append_allowed_origin);
        Ok(Self { webauthn: builder.build().map_err(failed)?, timeout_ms: 300_000 })
    }

    fn new_registration(&self) -> Result<PasskeyRegistration, PortError> {
        let started = self.webauthn.start_passkey_registration(Uuid::nil(), "-", "-", None);
        started.map(|(_, state)| state).map_err(failed)
    }
}

impl PasskeyVerifier for WebauthnVerifier {
    fn creation_options(
        &self,
        owner: PasskeyOwner<'_>,
        challenge: &PasskeyChallenge,
        known: &[&PasskeyCredential],
    ) -> Result<String, PortError> {
        let user = Uuid::from_bytes(*owner.user.as_bytes());
        let started = self.webauthn.start_passkey_registration(user, owner.name, owner.display_name, None);
        let mut options = public_key(&started.map_err(failed)?.0)?;
        set(&mut options, "challenge", json!(URL_SAFE_NO_PAD.encode(challenge)));
        set(&mut options, "timeout", json!(self.timeout_ms));
        set(&mut options, "excludeCredentials", known.iter().map(|credential| descriptor(credential)).collect());
        // a login without a user name needs a discoverable credential, which the library does not request
        let selection = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
        set(&mut options, "authenticatorSelection", selection);
        Ok(options.to_string())
    }

    fn request_options(
        &self,
        challenge: &PasskeyChallenge,
        allowed: &[&PasskeyCredential],
    ) -> Result<String, PortError> {
        let started = self.webauthn.start_discoverable_authentication();
        let mut options = public_key(&started.map_err(failed)?.0)?;
        set(&mut options, "challenge", json!(URL_SAFE_NO_PAD.encode(challenge)));
        set(&mut options, "timeout", json!(self.timeout_ms));
        set(&mut options, "allowCredentials", allowed.iter().map(|credential| descriptor(credential)).collect());
        Ok(options.to_string())
    }

    fn verify_new(&self, challenge: &PasskeyChallenge, response: &str) -> Result<PasskeyCredential, PasskeyRefused> {
        let response: RegisterPublicKeyCredential = serde_json::from_str(response).map_err(refused)?;
        check_type(&response.type_)?;
        check_client_data(&response.response.client_data_json)?;
        check_attestation(&response.response.attestation_object)?;
        let state = self.new_registration().and_then(|state| with_challenge(&state, challenge)).map_err(refused)?;
        let passkey = self.webauthn.finish_passkey_registration(&response, &state).map_err(refused)?;
        let mut credential = Credential::from(passkey);
        if credential.cred_id.len() > MAX_CREDENTIAL_ID {
            return Err(PasskeyRefused("the credential id is too long".to_owned()));
        }
        if !has_curve_of_algorithm(&credential.cred) {
            return Err(PasskeyRefused("the algorithm does not belong to the curve".to_owned()));
        }
        // no attestation was requested: the certificates of the device are not stored
        credential.attestation = ParsedAttestation::default();
        to_stored_form(credential).map_err(refused)
    }

    fn identify(&self, response: &str) -> Option<PresentedPasskey> {
        let response: PublicKeyCredential = serde_json::from_str(response).ok()?;
        let user = match response.get_user_unique_id() {
            Some(handle) => Some(UserId::from_bytes(handle.try_into().ok()?)),
            None => None,
        };
        Some(PresentedPasskey { credential_id: response.raw_id, user })
    }

    fn verify_signature(
        &self,
        challenge: &PasskeyChallenge,
        credential: &PasskeyCredential,
        response: &str,
    ) -> Result<PasskeyCredential, PasskeyRefused> {
        let response: PublicKeyCredential = serde_json::from_str(response).map_err(refused)?;
        check_type(&response.type_)?;
        check_client_data(&response.response.client_data_json)?;
        check_authenticator_data(&response.response.authenticator_data)?;
        let mut passkey: Passkey = serde_json::from_slice(&credential.data).map_err(refused)?;
        let (_, state) = self.webauthn.start_discoverable_authentication().map_err(refused)?;
        let state: DiscoverableAuthentication = with_challenge(&state, challenge).map_err(refused)?;
        let used = self.webauthn.finish_discoverable_authentication_v2(&response, state, &passkey);
        passkey.update_credential(&used.map_err(refused)?);
        to_stored_form(Credential::from(passkey)).map_err(refused)
    }
}

/// Whether a key has the curve that WebAuthn Level 3, section 5.8.5, requires for its algorithm. False for Ed25519,
/// which the library can't verify.
const fn has_curve_of_algorithm(key: &COSEKey) -> bool {
    match &key.key {
        COSEKeyType::EC_EC2(point) => matches!(
            (key.type_, &point.curve),
            (COSEAlgorithm::ES256, ECDSACurve::SECP256R1) | (COSEAlgorithm::ES384, ECDSACurve::SECP384R1)
        ),
        COSEKeyType::RSA(_) => matches!(key.type_, COSEAlgorithm::RS256),
        COSEKeyType::EC_OKP(_) => false,
    }
}

/// The form of a credential that is stored in the account.
fn to_stored_form(credential: Credential) -> Result<PasskeyCredential, serde_json::Error> {
    let (id, synced) = (credential.cred_id.clone(), credential.backup_eligible);
    Ok(PasskeyCredential { id, data: serde_json::to_vec(&Passkey::from(credential))?, synced })
}

/// Replaces the challenge in a state of the library.
fn with_challenge<S: Serialize + DeserializeOwned>(state: &S, challenge: &PasskeyChallenge) -> Result<S, PortError> {
    let mut state = serde_json::to_value(state).map_err(|error| PortError::new(PORT, error))?;
    let inner = state.as_object_mut().and_then(|members| members.values_mut().next());
    let old_challenge = inner.and_then(|inner| inner.get_mut("challenge"));
    *old_challenge.ok_or_else(|| PortError::new(PORT, "the state has no challenge"))? =
        json!(URL_SAFE_NO_PAD.encode(challenge));
    serde_json::from_value(state).map_err(|error| PortError::new(PORT, error))
}

/// The `publicKey` member of the library's options: the input of `parseCreationOptionsFromJSON` and
/// `parseRequestOptionsFromJSON` in a browser.
fn public_key(options: &impl Serialize) -> Result<Value, PortError> {
    let mut options = serde_json::to_value(options).map_err(|error| PortError::new(PORT, error))?;
    let options = options.get_mut("publicKey").map(Value::take);
    options.ok_or_else(|| PortError::new(PORT, "the options have no publicKey"))
}

fn set(options: &mut Value, name: &str, value: Value) {
    if let Some(members) = options.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn descriptor(credential: &PasskeyCredential) -> Value {
    json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(&credential.id)})
}

fn failed(error: impl std::fmt::Debug) -> PortError {
    PortError::new(PORT, format!("{error:?}"))
}

fn refused(error: impl std::fmt::Debug) -> PasskeyRefused {
    PasskeyRefused(format!("{error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINS: [&str; 2] = ["https://app.example.com", "android:apk-key-hash:abc"];

    fn verifier(rp_id: &str, origins: &[&str]) -> Result<WebauthnVerifier, PortError> {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        WebauthnVerifier::new(rp_id, "Portcullis", &origins)
    }

    #[test]
    fn the_first_origin_must_belong_to_the_rp_id() {
        assert!(verifier("example.com", &ORIGINS).is_ok());
        assert!(verifier("localhost", &["http://localhost:8000", "http://127.0.0.1:8000"]).is_ok());
        for (rp_id, origins) in [
            ("example.org", &ORIGINS[..1]),
            ("ample.com", &ORIGINS[..1]),
            ("example.com", &[]),
            ("example.com", &["no"]),
        ] {
            assert!(verifier(rp_id, origins).is_err(), "{rp_id} {origins:?}");
        }
    }

    #[test]
    fn options_have_the_challenge_and_ask_for_a_discoverable_credential() {
        let verifier = verifier("example.com", &ORIGINS).unwrap();
        let known = PasskeyCredential { id: vec![1, 2, 3], data: Vec::new(), synced: false };
        let owner = PasskeyOwner { user: UserId::from_bytes([7; 16]), name: "ada@example.com", display_name: "Ada" };
        let options: Value =
            serde_json::from_str(&verifier.creation_options(owner, &[5; 32], &[&known]).unwrap()).unwrap();
        assert_eq!(options["challenge"], URL_SAFE_NO_PAD.encode([5; 32]));
        assert_eq!(options["user"]["id"], URL_SAFE_NO_PAD.encode([7; 16]));
        assert_eq!(options["excludeCredentials"], json!([{"type": "public-key", "id": "AQID"}]));
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        let options: Value = serde_json::from_str(&verifier.request_options(&[5; 32], &[&known]).unwrap()).unwrap();
        assert_eq!(
            (&options["rpId"], &options["userVerification"], &options["allowCredentials"][0]["id"]),
            (&json!("example.com"), &json!("required"), &json!("AQID"))
        );
    }

    #[test]
    fn text_that_is_no_response_is_refused() {
        let verifier = verifier("example.com", &ORIGINS).unwrap();
        let known = PasskeyCredential { id: vec![1], data: b"{}".to_vec(), synced: false };
        for text in ["", "{}", "[]", "null", r#"{"id":"AQ","rawId":"AQ","type":"public-key","response":{}}"#] {
            assert!(verifier.verify_new(&[0; 32], text).is_err(), "{text}");
            assert!(verifier.verify_signature(&[0; 32], &known, text).is_err(), "{text}");
            assert_eq!(verifier.identify(text), None, "{text}");
        }
    }
}
