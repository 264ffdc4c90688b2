//! Verifies passkeys: the ceremonies of WebAuthn Level 3, sections 7.1 and 7.2. It keeps no state: the challenge is the
//! caller's, who makes sure that it is used once.

use crate::model::ids::UserId;
use crate::model::passkey::{PasskeyCredential, PresentedPasskey};
use crate::ports::error::PortError;

/// The bytes that an authenticator signs.
pub type PasskeyChallenge = [u8; 32];

/// The account for which a passkey is made, as an authenticator shows it to its owner.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyOwner<'a> {
    /// The user handle.
    pub user: UserId,
    /// A name that tells accounts apart: the e-mail address.
    pub name: &'a str,
    /// A name for people.
    pub display_name: &'a str,
}

/// Why a response of a browser is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the passkey was refused: {0}")]
pub struct PasskeyRefused(pub String);

/// Makes options for browsers and verifies their responses. Options and responses are JSON as WebAuthn Level 3 defines it
/// (`PublicKeyCredentialCreationOptionsJSON`, `PublicKeyCredentialRequestOptionsJSON`, `RegistrationResponseJSON`,
/// `AuthenticationResponseJSON`).
pub trait PasskeyVerifier: Send + Sync {
    /// The options of `navigator.credentials.create()`. The browser makes no second passkey on an authenticator that has
    /// one of `known`.
    ///
    /// # Errors
    /// When no options can be made.
    fn creation_options(
        &self,
        owner: PasskeyOwner<'_>,
        challenge: &PasskeyChallenge,
        known: &[&PasskeyCredential],
    ) -> Result<String, PortError>;

    /// The options of `navigator.credentials.get()` for one of `allowed`; for any passkey of this server, if that is empty.
    ///
    /// # Errors
    /// When no options can be made.
    fn request_options(
        &self,
        challenge: &PasskeyChallenge,
        allowed: &[&PasskeyCredential],
    ) -> Result<String, PortError>;

    /// Verifies a new passkey: type, challenge, origin, RP ID, user presence, user verification and algorithm.
    ///
    /// # Errors
    /// When one of them is wrong.
    fn verify_new(&self, challenge: &PasskeyChallenge, response: &str) -> Result<PasskeyCredential, PasskeyRefused>;

    /// The passkey that a response claims to be of. `None`: it is no response.
    fn identify(&self, response: &str) -> Option<PresentedPasskey>;

    /// Verifies a signature of a passkey: what `verify_new` verifies, the signature, and that the signature counter has
    /// grown. Returns the credential as it is stored from then on.
    ///
    /// # Errors
    /// When one of them is wrong.
    fn verify_signature(
        &self,
        challenge: &PasskeyChallenge,
        credential: &PasskeyCredential,
        response: &str,
    ) -> Result<PasskeyCredential, PasskeyRefused>;
}
