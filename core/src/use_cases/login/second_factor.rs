//! The second factor: the code of a text answers a login's challenge and opens the session.

use crate::model::client::Client;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::session::AuthMethods;
use crate::service::Ports;
use crate::use_cases::login::Logins;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::tokens::TokenPair;

impl Logins<'_> {
    /// Answers a challenge.
    ///
    /// # Errors
    /// `InvalidToken` for whatever is not the right code of a living challenge.
    pub async fn log_in_second_factor(
        self,
        realm: &Realm,
        mfa_token: &str,
        otp: &str,
        client: &Client,
    ) -> Result<TokenPair, AuthError> {
        let Ports { users, .. } = &self.service.ports;
        let token = self.service.try_otp(realm, Purpose::LoginMfa, mfa_token, otp).await?;
        let user = users.find(realm, &token.holder.subject).await?.ok_or(AuthError::InvalidToken)?;
        if user.disabled || !user.mfa_sms || !self.service.sent_to(&user, &token)? {
            return Err(AuthError::InvalidToken);
        }
        let from = self.service.login_source(realm, &client.address);
        self.service.record_login_success(realm, &user.person.email_index, &from).await?;
        let opened = self.service.new_session(&user, client, AuthMethods::PASSWORD.and(AuthMethods::SMS))?;
        self.service.open_session(opened, vec![self.service.use_up(&token)]).await
    }
}
