//! Passkeys as a proof: the options for a challenge, and the use of a passkey of an account.

use std::time::Duration;

use crate::model::passkey::{PasskeyCredential, Passkeys};
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::service::{AuthService, Ports};

/// A challenge that an authenticator signs.
#[derive(Debug)]
pub struct PasskeyCeremony {
    /// Names the challenge, and is the challenge.
    pub token: OpaqueToken,
    /// The options for the browser, as JSON.
    pub options: String,
    /// How long the response is awaited.
    pub expires_in: Duration,
}

/// The passkeys of an account after one of them has signed a challenge.
pub(crate) struct UsedPasskey {
    /// All of them, in their new state.
    pub passkeys: Passkeys,
    /// Whether the private key of the one that signed may be on more than one device.
    pub synced: bool,
}

impl AuthService {
    /// The options with which a browser asks for a passkey of `user`; `None` where the account has none.
    pub(crate) fn passkey_options(&self, user: &User, challenge: &OpaqueToken) -> Result<Option<String>, PortError> {
        let passkeys = self.record_cipher(user)?.passkeys(user)?;
        if passkeys.0.is_empty() {
            return Ok(None);
        }
        let allowed: Vec<&PasskeyCredential> = passkeys.0.iter().map(|passkey| &passkey.credential).collect();
        self.ports.passkeys.request_options(challenge.as_bytes(), &allowed).map(Some)
    }

    /// Verifies that a passkey of `user` has signed the challenge; `None` where it has not.
    pub(crate) fn use_passkey(
        &self,
        user: &User,
        challenge: &OpaqueToken,
        response: &str,
    ) -> Result<Option<UsedPasskey>, PortError> {
        let Ports { passkeys: verifier, clock, .. } = &self.ports;
        let Some(presented) = verifier.identify(response) else { return Ok(None) };
        if presented.user.is_some_and(|owner| owner != user.id) {
            return Ok(None);
        }
        let mut passkeys = self.record_cipher(user)?.passkeys(user)?;
        let Some(passkey) = passkeys.0.iter_mut().find(|passkey| passkey.credential.id == presented.credential_id)
        else {
            return Ok(None);
        };
        let verified = verifier.verify_signature(challenge.as_bytes(), &passkey.credential, response);
        let Ok(credential) = verified else { return Ok(None) };
        let synced = credential.synced;
        passkey.credential = credential;
        passkey.last_used_at = Some(clock.now());
        Ok(Some(UsedPasskey { passkeys, synced }))
    }
}
