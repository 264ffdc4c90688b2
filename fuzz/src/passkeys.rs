//! Responses of passkeys: a line of client data, then the bytes of an attestation object or of authenticator data.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_adapters::crypto::passkey_verifier::WebauthnVerifier;
use portcullis_core::model::passkey::PasskeyCredential;
use portcullis_core::ports::passkey_verifier::{PasskeyChallenge, PasskeyVerifier as _};
use portcullis_server::testkit::authenticator::{Authenticator, Draft, PRESENT, VERIFIED};
use portcullis_tests::passkey_mistakes::{Named, ORIGIN, of_creations, of_signatures, spoil};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const RP_ID: &str = "example.com";
const CHALLENGE: PasskeyChallenge = [7; 32];
/// A passkey that `Authenticator::export` wrote, so that drafts are the same at each run.
const PASSKEY: &str = concat!(
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgchImgSAiaEeUbAIhWgzdribbW1Yb_kn0wU4jYOYkvJ-hRANCAARJhxGUXfxEbX",
    "CndvzLLKUkgM5DZb2Xbn7uL8HB6TSJcpRFRcLGQxp3NSPhrmkIDFl2LzlG7n_FmYJO6AAHCTp6.pB4X4BEXLGGPlaea_ylayFXJNPoWa5f-ZnNi5RjBCQM.AQEBAQEBAQEBAQEBAQEBAQ.5"
);

/// A verifier, an authenticator and its passkey as it is stored.
struct Ceremonies {
    verifier: WebauthnVerifier,
    authenticator: Authenticator,
    stored: PasskeyCredential,
    genuine: (Draft, Value),
}

fn ceremonies() -> &'static Ceremonies {
    static CEREMONIES: OnceLock<Ceremonies> = OnceLock::new();
    CEREMONIES.get_or_init(|| {
        let verifier = WebauthnVerifier::new(RP_ID, "Portcullis", &[ORIGIN.to_owned()]).expect("a verifier");
        let mut authenticator = authenticator();
        let draft = draft_creation(&mut authenticator).expect("a draft");
        let made = verifier.verify_new(&CHALLENGE, &authenticator.creation(&draft).to_string());
        let genuine = draft_signature(&mut authenticator).expect("a draft");
        let signed = authenticator.signature(&genuine).expect("a signature");
        Ceremonies { verifier, authenticator, stored: made.expect("a passkey"), genuine: (genuine, signed) }
    })
}

fn authenticator() -> Authenticator {
    Authenticator::import(ORIGIN, PASSKEY).expect("a passkey")
}

fn draft_creation(authenticator: &mut Authenticator) -> Option<Draft> {
    let user = json!({"id": "AQEBAQEBAQEBAQEBAQEBAQ"});
    authenticator.draft_creation(&json!({"rp": {"id": RP_ID}, "user": user, "challenge": challenge()}))
}

fn draft_signature(authenticator: &mut Authenticator) -> Option<Draft> {
    authenticator.draft_signature(&json!({"rpId": RP_ID, "challenge": challenge()}))
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(CHALLENGE)
}

/// The draft that an input is.
fn draft(input: &[u8]) -> Draft {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (client_data, data) = input.split_at(at);
    Draft { client_data: client_data.to_vec(), data: data.get(1..).unwrap_or_default().to_vec() }
}

/// A new passkey that is accepted is of this page, ceremony and RP ID, and its user was present and verified.
pub fn passkey_creation(input: &[u8]) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Attestation<'a> {
        auth_data: &'a [u8],
    }
    let Ceremonies { verifier, authenticator, .. } = ceremonies();
    let draft = draft(input);
    let Ok(made) = verifier.verify_new(&CHALLENGE, &authenticator.creation(&draft).to_string()) else { return };
    check_client_data(&draft, "webauthn.create");
    let attestation: Attestation<'_> = serde_cbor_2::from_slice(&draft.data).expect("an attestation object");
    check_data(attestation.auth_data);
    let id = attestation.auth_data[55..].get(..made.id.len()).expect("an id");
    assert!(id == made.id && (1..=1023).contains(&id.len()), "{id:?}");
}

/// A signature that is accepted is of this page, ceremony and RP ID, its user was present and verified, and it was made over
/// just these bytes.
pub fn passkey_signature(input: &[u8]) {
    let Ceremonies { verifier, authenticator, stored, genuine: (genuine, signed) } = ceremonies();
    let draft = draft(input);
    let signature = authenticator.signature(&draft).expect("a signature");
    let accepts = |response: &Value| verifier.verify_signature(&CHALLENGE, stored, &response.to_string()).is_ok();
    if accepts(&signature) {
        check_client_data(&draft, "webauthn.get");
        check_data(&draft.data);
        assert!(draft.data.len() == 37 || draft.data[32] & 0x80 != 0, "{:?}", draft.data);
    }
    let mut other = signature;
    other["response"]["signature"] = signed["response"]["signature"].clone();
    let same = draft.client_data == genuine.client_data && draft.data == genuine.data;
    assert_eq!(accepts(&other), same, "{draft:?}");
}

fn check_client_data(draft: &Draft, kind: &str) {
    let data: Value = serde_json::from_slice(&draft.client_data).expect("client data");
    assert!(data["type"] == kind && data["challenge"] == challenge() && data["origin"] == ORIGIN, "{data}");
    assert!(
        data.get("topOrigin").is_none() && matches!(data.get("crossOrigin"), None | Some(Value::Bool(false))),
        "{data}"
    );
}

fn check_data(data: &[u8]) {
    assert_eq!(data[..32], Sha256::digest(RP_ID)[..]);
    assert_eq!(data[32] & (PRESENT | VERIFIED), PRESENT | VERIFIED);
}

/// The files of the corpora, each with the names of its corpus and its own: a genuine response, and one for each mistake.
#[must_use]
pub fn corpus() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let bytes = |draft: &Draft| [&draft.client_data[..], b"\n", &draft.data].concat();
    let mut authenticator = authenticator();
    let mut files = Vec::new();
    let mut all = |kind, mistakes: Vec<Named>, draft: fn(&mut Authenticator) -> Option<Draft>| {
        files.push((kind, "genuine", bytes(&draft(&mut authenticator).expect("a draft"))));
        for (name, mistake) in mistakes {
            files.push((kind, name, bytes(&spoil(mistake, &mut authenticator, draft))));
        }
    };
    all("passkey_creation", of_creations(), draft_creation);
    all("passkey_signature", of_signatures(), draft_signature);
    files
}

/// Whether the verifier accepts an input.
#[must_use]
pub fn is_accepted(name: &str, input: &[u8]) -> bool {
    let Ceremonies { verifier, authenticator, stored, .. } = ceremonies();
    let draft = draft(input);
    if name == "passkey_creation" {
        return verifier.verify_new(&CHALLENGE, &authenticator.creation(&draft).to_string()).is_ok();
    }
    let signed = authenticator.signature(&draft).expect("a signature");
    verifier.verify_signature(&CHALLENGE, stored, &signed.to_string()).is_ok()
}
