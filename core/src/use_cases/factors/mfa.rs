//! The second factor, on and off. Both need recent authentication; on needs a verified phone too.

use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::Purpose;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Factors<'_> {
    /// Switches SMS as the second factor.
    ///
    /// # Errors
    /// `PhoneNotVerified`, `ReauthenticationRequired`, `WrongPassword`, `InvalidToken`.
    pub async fn set_mfa_sms(
        self,
        caller: &Caller,
        on: bool,
        reauthentication: Reauthentication<'_>,
    ) -> Result<(), AuthError> {
        let Ports { clock, .. } = &self.service.ports;
        let user = &caller.user;
        let unchanged = on == user.mfa_sms;
        let reauthentication = match reauthentication {
            // a repeated request, whose code the first one has used up
            Reauthentication::None | Reauthentication::Otp { .. } if unchanged => return Ok(()),
            // a code proves control of the phone only, which may be the one that a thief has entered
            Reauthentication::Otp { .. } if on => Reauthentication::None,
            given => given,
        };
        let shown = self.service.reauthenticate(caller, reauthentication).await?;
        if unchanged {
            return Ok(());
        }
        if on && !user.phone_verified {
            return Err(AuthError::PhoneNotVerified);
        }
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
            let mut changes: Vec<Change> = shown.iter().map(|token| self.service.use_up(token)).collect();
            changes.push(Change::RemoveToken(AuthService::holder(&user.realm, Purpose::LoginMfa, user.id)));
            UnitOfWork {
                changes,
                jobs: vec![self.service.job(&user.realm, task.clone())],
                events: vec![self.service.event(&user.realm, kind, Some(user.id), Some(caller.session.id))],
            }
        };
        self.service.update_account(user.clone(), VersionCheck::MustMatch, change, effects).await.map(|_| ())
    }
}
