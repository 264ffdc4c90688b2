//! The second factor, on and off: on needs a phone that is proven, off needs the password or the factor itself.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::Purpose;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

/// What the caller shows to switch a factor off.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// Nothing.
    Nothing,
    /// The password.
    Password(&'a str),
    /// A challenge of `send_otp` and its code.
    Otp {
        /// The challenge.
        token: &'a str,
        /// The code.
        otp: &'a str,
    },
}

impl AuthService {
    /// Switches SMS as the second factor.
    ///
    /// # Errors
    /// `PhoneNotVerified`, `ReauthenticationRequired`, `WrongPassword`, `InvalidToken`.
    pub async fn set_mfa_sms(
        &self,
        caller: &Caller,
        on: bool,
        proof: Proof<'_>,
        client: &Client,
    ) -> Result<(), StoryError> {
        let Ports { one_time_tokens, clock, .. } = &self.ports;
        let user = &caller.user;
        if let Proof::Password(password) = proof {
            self.confirm_password(user, password, client).await?;
        }
        if on == user.mfa_sms {
            return Ok(());
        }
        if on && !user.phone_verified {
            return Err(StoryError::PhoneNotVerified);
        }
        if !on {
            self.prove_off(caller, proof).await?;
        }
        let changed =
            self.change_user(user.clone(), Still::TheCaller, |user| user.mfa_sms = on && user.phone_verified).await?;
        if changed.mfa_sms != on {
            return Err(StoryError::PhoneNotVerified);
        }
        one_time_tokens.remove(&Self::holder(&user.realm, Purpose::LoginMfa, user.id)).await?;
        let kind = if on { EventKind::MfaEnabled } else { EventKind::MfaDisabled };
        self.record(&user.realm, kind, Some(user.id), Some(caller.session.id));
        self.enqueue(&user.realm, Task::MfaChanged { user: user.id, at: clock.now(), enabled: on }).await
    }

    async fn prove_off(&self, caller: &Caller, proof: Proof<'_>) -> Result<(), StoryError> {
        match proof {
            Proof::Nothing => Err(StoryError::ReauthenticationRequired),
            Proof::Password(_) => Ok(()),
            Proof::Otp { token, otp } => {
                let shown = self.try_otp(&caller.user.realm, Purpose::VerifyPhone, token, otp).await?;
                if shown.holder.subject == caller.user.id && self.sent_to(&caller.user, &shown)? {
                    Ok(())
                } else {
                    Err(StoryError::InvalidToken)
                }
            }
        }
    }
}
