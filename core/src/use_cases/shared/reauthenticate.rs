//! Recent authentication: an access token alone must not change how an account is entered or its owner is reached.

use crate::model::client::Client;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::service::AuthService;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

/// What a request carries to show that its caller is the account's owner, besides the access token.
#[derive(Debug, Clone, Copy, Default)]
pub enum Reauthentication<'a> {
    /// Nothing: the login must be recent.
    #[default]
    None,
    /// The password.
    Password {
        /// As it was typed.
        password: &'a str,
        /// The client that sent it. Wrong passwords are counted by account and client.
        client: &'a Client,
    },
    /// The code of a challenge to the verified phone. Only a second factor can be switched off with it.
    Otp {
        /// The challenge.
        token: &'a str,
        /// The code.
        otp: &'a str,
    },
}

impl<'a> Reauthentication<'a> {
    /// The password, where the request has one.
    #[must_use]
    pub const fn by_password(password: Option<&'a str>, client: &'a Client) -> Self {
        match password {
            Some(password) => Self::Password { password, client },
            None => Self::None,
        }
    }
}

impl AuthService {
    /// Passes a caller whose login is at most `policy.fresh_login` old, or who gives the right password or code. A
    /// password or code that is given is checked after a recent login too.
    ///
    /// Returns the one-time token of the code, which the caller's change must remove in the same commit.
    ///
    /// # Errors
    /// `ReauthenticationRequired`, `WrongPassword`, `InvalidToken`, `TooMany`, `Overloaded`.
    pub(crate) async fn reauthenticate(
        &self,
        caller: &Caller,
        given: Reauthentication<'_>,
    ) -> Result<Option<OneTimeToken>, AuthError> {
        match given {
            Reauthentication::Password { password, client } => {
                self.confirm_password(&caller.user, password, client).await.map(|()| None)
            }
            Reauthentication::Otp { token, otp } => self.confirm_otp(caller, token, otp).await.map(Some),
            Reauthentication::None if self.logged_in_recently(caller) => Ok(None),
            Reauthentication::None => Err(AuthError::ReauthenticationRequired),
        }
    }

    /// Whether the login that the access token comes from is recent. A refresh copies the time of the login.
    ///
    /// Compared in whole seconds, because `auth_time` has no fraction.
    fn logged_in_recently(&self, caller: &Caller) -> bool {
        let age = self.ports.clock.now().as_secs().saturating_sub(caller.claims.authenticated_at.as_secs());
        u64::try_from(age).unwrap_or(0) <= self.policy.fresh_login.as_secs()
    }

    /// The one-time token of a code that was sent to the caller's own phone.
    async fn confirm_otp(&self, caller: &Caller, token: &str, otp: &str) -> Result<OneTimeToken, AuthError> {
        let shown = self.try_otp(&caller.user.realm, Purpose::VerifyPhone, token, otp).await?;
        if shown.holder.subject == caller.user.id && self.sent_to(&caller.user, &shown)? {
            Ok(shown)
        } else {
            Err(AuthError::InvalidToken)
        }
    }
}
