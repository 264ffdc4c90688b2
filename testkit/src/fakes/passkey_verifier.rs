//! Passkeys without cryptography. A response is a line of words that tests write themselves; [`new_passkey`] and
//! [`signature`] make good ones.

use std::fmt::Write as _;

use portcullis_core::model::ids::UserId;
use portcullis_core::model::passkey::{PasskeyCredential, PresentedPasskey};
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::passkey_verifier::{PasskeyChallenge, PasskeyOwner, PasskeyRefused, PasskeyVerifier};

/// Accepts the responses of this module.
#[derive(Debug, Default, Clone, Copy)]
pub struct FakePasskeyVerifier;

/// The response of an authenticator that made a credential.
#[must_use]
pub fn new_passkey(challenge: &OpaqueToken, credential: &str, synced: bool) -> String {
    format!("new {} {credential} {synced}", challenge.expose())
}

/// The account that options of a new passkey are for.
#[must_use]
pub fn owner_of(options: &str) -> Option<UserId> {
    UserId::parse(options.strip_prefix("create for ")?.split(' ').next()?)
}

/// The response of an authenticator that signed a challenge.
#[must_use]
pub fn signature(challenge: &OpaqueToken, credential: &str, user: Option<UserId>, counter: u32) -> String {
    let user = user.map_or_else(|| "-".to_owned(), |user| user.to_string());
    format!("get {} {credential} {user} {counter}", challenge.expose())
}

fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split(' ').collect::<Vec<_>>().try_into().ok()
}

fn is_over(challenge: &PasskeyChallenge, word: &str) -> bool {
    OpaqueToken::parse(word).is_some_and(|token| token.as_bytes() == challenge)
}

fn refused(reason: &str) -> PasskeyRefused {
    PasskeyRefused(reason.to_owned())
}

fn ids(credentials: &[&PasskeyCredential]) -> String {
    credentials.iter().fold(String::new(), |mut text, credential| {
        // writing to a text cannot fail
        let _ = write!(text, " {}", String::from_utf8_lossy(&credential.id));
        text
    })
}

impl PasskeyVerifier for FakePasskeyVerifier {
    fn creation_options(
        &self,
        owner: PasskeyOwner<'_>,
        _: &PasskeyChallenge,
        known: &[&PasskeyCredential],
    ) -> Result<String, PortError> {
        let PasskeyOwner { user, name, display_name } = owner;
        Ok(format!("create for {user} {name} {display_name}, known:{}", ids(known)))
    }

    fn request_options(&self, _: &PasskeyChallenge, allowed: &[&PasskeyCredential]) -> Result<String, PortError> {
        Ok(format!("get, allowed:{}", ids(allowed)))
    }

    fn verify_new(&self, challenge: &PasskeyChallenge, response: &str) -> Result<PasskeyCredential, PasskeyRefused> {
        match words(response) {
            Some(["new", signed, credential, synced]) if is_over(challenge, signed) => Ok(PasskeyCredential {
                id: credential.as_bytes().to_vec(),
                data: b"0".to_vec(),
                synced: synced == "true",
            }),
            _ => Err(refused("not over this challenge")),
        }
    }

    fn identify(&self, response: &str) -> Option<PresentedPasskey> {
        let ["get", _, credential, user, _] = words(response)? else { return None };
        let user = if user == "-" { None } else { Some(UserId::parse(user)?) };
        Some(PresentedPasskey { credential_id: credential.as_bytes().to_vec(), user })
    }

    fn verify_signature(
        &self,
        challenge: &PasskeyChallenge,
        credential: &PasskeyCredential,
        response: &str,
    ) -> Result<PasskeyCredential, PasskeyRefused> {
        let count = |text: &str| text.parse::<u32>().map_err(|_| refused("no counter"));
        match words(response) {
            Some(["get", signed, id, _, counter])
                if is_over(challenge, signed) && id.as_bytes() == credential.id.as_slice() =>
            {
                let before = count(&String::from_utf8_lossy(&credential.data))?;
                let after = count(counter)?;
                if after <= before && (before, after) != (0, 0) {
                    return Err(refused("the counter has not grown"));
                }
                Ok(PasskeyCredential { data: counter.as_bytes().to_vec(), ..credential.clone() })
            }
            _ => Err(refused("not over this challenge")),
        }
    }
}
