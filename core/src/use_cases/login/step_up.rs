//! Step-up: a caller shows the password, and the second factor where one is on, and gets an access token that says so
//! (RFC 9470). The session and its refresh token stay as they are.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::one_time_token::Purpose;
use crate::model::secret::SecretString;
use crate::model::session::AuthMethods;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::use_cases::login::Logins;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::FactorAnswer;
use crate::use_cases::shared::otp::FactorChallenge;

/// The result of a right password.
#[derive(Debug)]
pub enum SteppedUp {
    /// A new access token.
    Token(SecretString),
    /// A challenge of the second factor.
    MfaRequired(FactorChallenge),
}

/// The second factor of a step-up.
#[derive(Clone, Copy)]
pub enum StepUpFactor<'a> {
    /// None yet. An account that has one gets a challenge; with `sms` a code for it is sent in any case.
    Ask {
        /// Whether an SMS is asked for.
        sms: bool,
    },
    /// A code.
    Answer(FactorAnswer<'a>),
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
        factor: StepUpFactor<'_>,
        client: &Client,
    ) -> Result<SteppedUp, AuthError> {
        let (user, realm) = (&caller.user, &caller.user.realm);
        self.service.confirm_password(caller, password, client).await?;
        let mut methods = AuthMethods::PASSWORD;
        let work = UnitOfWork {
            events: vec![self.service.event(realm, EventKind::SteppedUp, Some(user.id), Some(caller.session.id))],
            ..UnitOfWork::default()
        };
        match factor {
            _ if !user.has_second_factor() => self.service.commit(work).await.map(|_| ())?,
            StepUpFactor::Ask { sms } => {
                let send_sms = user.mfa_sms && (sms || !user.has_factor_beyond_sms());
                let challenge = self.service.factor_challenge(user, Purpose::StepUp, send_sms).await?;
                return Ok(SteppedUp::MfaRequired(challenge));
            }
            StepUpFactor::Answer(answer) => match self.answer_step_up(user, answer, work).await {
                Ok(shown) => methods = methods.and(shown),
                Err(AuthError::InvalidToken) => {
                    self.service.count_session_failure(caller, None).await?;
                    return Err(AuthError::InvalidToken);
                }
                Err(error) => return Err(error),
            },
        }
        let now = self.service.ports.clock.now();
        Ok(SteppedUp::Token(self.service.issue_after_step_up(caller, methods, now)?))
    }

    /// Checks a factor, and uses it up with its challenge. A challenge that is named must be the caller's.
    async fn answer_step_up(
        self,
        user: &User,
        answer: FactorAnswer<'_>,
        work: UnitOfWork,
    ) -> Result<AuthMethods, AuthError> {
        let mut challenge = None;
        if let Some(token) = answer.challenge {
            let (found, owner) = self.service.find_challenge(&user.realm, Purpose::StepUp, token).await?;
            if owner.id != user.id {
                return Err(AuthError::InvalidToken);
            }
            challenge = Some(found);
        }
        let shown = self.service.check_factor(user, answer, challenge).await?;
        self.service.commit_with_factor(user, &shown, work).await?;
        Ok(shown.auth_methods)
    }
}
