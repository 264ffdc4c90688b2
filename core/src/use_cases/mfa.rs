//! The second factor, on and off: on needs a phone that is proven, off needs the password or the factor itself.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::AuthError;
use crate::use_cases::shared::commit::VersionCheck;

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
    ) -> Result<(), AuthError> {
        let Ports { clock, .. } = &self.ports;
        let user = &caller.user;
        if let Proof::Password(password) = proof {
            self.confirm_password(user, password, client).await?;
        }
        if on == user.mfa_sms {
            return Ok(());
        }
        if on && !user.phone_verified {
            return Err(AuthError::PhoneNotVerified);
        }
        let shown = if on { None } else { self.prove_off(caller, proof).await? };
        let change = |user: &mut User| {
            if on && !user.phone_verified {
                return Err(AuthError::PhoneNotVerified);
            }
            user.mfa_sms = on;
            Ok(())
        };
        let kind = if on { EventKind::MfaEnabled } else { EventKind::MfaDisabled };
        let task = Task::MfaChanged { user: user.id, at: clock.now(), enabled: on };
        let effects = |user: &User| {
            let mut changes: Vec<Change> = shown.iter().map(|token| self.use_up(token)).collect();
            changes.push(Change::RemoveToken(Self::holder(&user.realm, Purpose::LoginMfa, user.id)));
            UnitOfWork {
                changes,
                jobs: vec![self.job(&user.realm, task.clone())],
                events: vec![self.event(&user.realm, kind, Some(user.id), Some(caller.session.id))],
            }
        };
        self.update_account(user.clone(), VersionCheck::MustMatch, change, effects).await.map(|_| ())
    }

    /// What shows that the caller may switch the factor off: the one-time token of a code, where it is a code.
    async fn prove_off(&self, caller: &Caller, proof: Proof<'_>) -> Result<Option<OneTimeToken>, AuthError> {
        match proof {
            Proof::Nothing => Err(AuthError::ReauthenticationRequired),
            Proof::Password(_) => Ok(None),
            Proof::Otp { token, otp } => {
                let shown = self.try_otp(&caller.user.realm, Purpose::VerifyPhone, token, otp).await?;
                if shown.holder.subject == caller.user.id && self.sent_to(&caller.user, &shown)? {
                    Ok(Some(shown))
                } else {
                    Err(AuthError::InvalidToken)
                }
            }
        }
    }
}
