//! The second factor: a code answers a login's challenge and opens the session.

use crate::model::client::Client;
use crate::model::factor::FactorMethod;
use crate::model::job::Task;
use crate::model::message::Channel;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::model::session::AuthMethods;
use crate::use_cases::login::Logins;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::FactorAnswer;
use crate::use_cases::shared::tokens::TokenPair;

impl Logins<'_> {
    /// Answers a challenge by a code or a passkey.
    ///
    /// # Errors
    /// `InvalidToken` for whatever is not a right code for a living challenge; `TooMany`.
    pub async fn log_in_second_factor(
        self,
        realm: &Realm,
        mfa_token: &str,
        method: Option<FactorMethod>,
        response: &str,
        client: &Client,
    ) -> Result<TokenPair, AuthError> {
        self.answer_challenge(realm, (mfa_token, method, response), false, client).await.map(|(pair, _)| pair)
    }

    /// The same, and remembers the device: the next login with the token asks for no second factor.
    ///
    /// # Errors
    /// As `log_in_second_factor`.
    pub async fn log_in_and_remember(
        self,
        realm: &Realm,
        (mfa_token, method, response): (&str, Option<FactorMethod>, &str),
        client: &Client,
    ) -> Result<(TokenPair, Option<OpaqueToken>), AuthError> {
        self.answer_challenge(realm, (mfa_token, method, response), true, client).await
    }

    async fn answer_challenge(
        self,
        realm: &Realm,
        (mfa_token, method, response): (&str, Option<FactorMethod>, &str),
        remember: bool,
        client: &Client,
    ) -> Result<(TokenPair, Option<OpaqueToken>), AuthError> {
        let (challenge, user) = self.service.find_challenge(realm, Purpose::LoginMfa, mfa_token).await?;
        let answer = FactorAnswer { method, challenge: Some(mfa_token), response };
        let mut shown = self.service.check_factor(&user, answer, Some(challenge)).await?;
        let from = self.service.login_source(realm, &client.address);
        self.service.record_login_success(realm, &self.service.throttle_key_of(&user)?, &from).await?;
        let methods = AuthMethods::PASSWORD.and(shown.auth_methods);
        let opened = self.service.new_session(&user, client, methods)?;
        let session = opened.0.id;
        let device = (remember && !user.roles.has_admin()).then(|| self.service.new_device(&user, client, session));
        let (token, device) = device.unzip();
        shown.remembered = device;
        let pair = self.service.open_session_with_factor(opened, &user, &shown).await?;
        Ok((pair, token))
    }

    /// Has the code of a challenge sent by SMS, where the account has that factor.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn send_login_code(self, realm: &Realm, mfa_token: &str) -> Result<(), AuthError> {
        let (challenge, user) = self.service.find_challenge(realm, Purpose::LoginMfa, mfa_token).await?;
        if !user.mfa_sms {
            return Err(AuthError::InvalidToken);
        }
        if challenge.code.is_some() {
            return Ok(());
        }
        let (purpose, challenge) = (challenge.holder.purpose, challenge.token);
        let task = Task::SendOtp { user: user.id, purpose, challenge, channel: Channel::Sms };
        self.service.enqueue(realm, task).await
    }
}
