//! Step-up: a caller shows the password, and the second factor where one is on, and gets an access token that says so
//! (RFC 9470). The session and its refresh token stay as they are.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::one_time_token::Purpose;
use crate::model::secret::{OpaqueToken, SecretString};
use crate::model::session::AuthMethods;
use crate::ports::database::UnitOfWork;
use crate::use_cases::login::Logins;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

/// The answer to a challenge of the second factor.
#[derive(Clone, Copy)]
pub struct FactorAnswer<'a> {
    /// The challenge.
    pub challenge: &'a str,
    /// The code.
    pub otp: &'a str,
}

/// The result of a right password.
#[derive(Debug)]
pub enum SteppedUp {
    /// A new access token.
    Token(SecretString),
    /// A challenge of the second factor: its code is on the way.
    MfaRequired(OpaqueToken),
}

impl Logins<'_> {
    /// Authenticates a caller once more.
    ///
    /// # Errors
    /// `WrongPassword`, `InvalidToken`, `TooMany`, `Overloaded`.
    pub async fn step_up(
        self,
        caller: &Caller,
        password: &str,
        factor: Option<FactorAnswer<'_>>,
        client: &Client,
    ) -> Result<SteppedUp, AuthError> {
        let (user, realm) = (&caller.user, &caller.user.realm);
        self.service.confirm_password(caller, password, client).await?;
        let mut methods = AuthMethods::PASSWORD;
        let mut work = UnitOfWork {
            events: vec![self.service.event(realm, EventKind::SteppedUp, Some(user.id), Some(caller.session.id))],
            ..UnitOfWork::default()
        };
        if user.has_second_factor() {
            let Some(FactorAnswer { challenge, otp }) = factor else {
                return self.service.otp_challenge(user, Purpose::StepUp).await.map(SteppedUp::MfaRequired);
            };
            let token = match self.service.try_otp(realm, Purpose::StepUp, challenge, otp).await {
                Ok(token) if token.holder.subject == user.id && self.service.sent_to(user, &token)? => token,
                Ok(_) | Err(AuthError::InvalidToken) => {
                    self.service.count_session_failure(caller).await?;
                    return Err(AuthError::InvalidToken);
                }
                Err(error) => return Err(error),
            };
            work.changes.push(self.service.use_up(&token));
            methods = methods.and(AuthMethods::SMS);
        }
        self.service.commit(work).await?;
        let now = self.service.ports.clock.now();
        Ok(SteppedUp::Token(self.service.issue_after_step_up(caller, methods, now)?))
    }
}
