//! Log in with a passkey instead of a password. The start is the same for everyone; the authenticator says which account.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::login::Logins;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::passkeys::PasskeyCeremony;
use crate::use_cases::shared::tokens::TokenPair;

impl Logins<'_> {
    /// Makes a challenge that any passkey of the realm may sign.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn begin_passkey_login(self, realm: &Realm) -> Result<PasskeyCeremony, AuthError> {
        let Ports { randomness, passkeys: verifier, .. } = &self.service.ports;
        // no account is known yet: each challenge has a subject of its own, so that none replaces another
        let subject = UserId::random(|bytes| randomness.fill(bytes));
        let holder = AuthService::holder(realm, Purpose::PasskeyLogin, subject);
        let expires_in = self.service.policy.lifetimes.otp;
        let (token, stored) = self.service.new_one_time_token(holder, None, expires_in);
        let options = verifier.request_options(token.as_bytes(), &[])?;
        self.service.commit(UnitOfWork::of(Change::PutToken(Box::new(stored)))).await?;
        Ok(PasskeyCeremony { token, options, expires_in })
    }

    /// Opens a session by a passkey that has signed the challenge. No second factor is asked for: the authenticator has
    /// verified its user.
    ///
    /// # Errors
    /// `InvalidPasskey`.
    pub async fn log_in_with_passkey(
        self,
        realm: &Realm,
        token: &str,
        response: &str,
        client: &Client,
    ) -> Result<TokenPair, AuthError> {
        let Ports { users, clock, passkeys: verifier, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidPasskey)?;
        let found = self.service.find_token(realm, Purpose::PasskeyLogin, &token, clock.now()).await?;
        let challenge = found.ok_or(AuthError::InvalidPasskey)?;
        let id = verifier.identify(response).and_then(|presented| presented.user).ok_or(AuthError::InvalidPasskey)?;
        let user = users.find(realm, &id).await?.filter(|user| !user.disabled);
        let Some(user) = user else {
            self.service.record(realm, EventKind::LoginFailed, None, None);
            return Err(AuthError::InvalidPasskey);
        };
        let shown = self.service.check_passkey_response(&user, (token, challenge), response);
        let shown = shown.map_err(to_invalid_passkey)?;
        let from = self.service.login_source(realm, &client.address);
        self.service.record_login_success(realm, &self.service.throttle_key_of(&user)?, &from).await?;
        let opened = self.service.new_session(&user, client, shown.auth_methods)?;
        self.service.open_session_with_factor(opened, &user, &shown).await.map_err(to_invalid_passkey)
    }
}

fn to_invalid_passkey(error: AuthError) -> AuthError {
    match error {
        AuthError::InvalidToken => AuthError::InvalidPasskey,
        error => error,
    }
}
