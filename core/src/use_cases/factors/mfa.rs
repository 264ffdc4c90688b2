//! SMS as the second factor, on and off. Both need recent authentication; on needs a verified phone too. And the factors
//! that are on.

use crate::model::factor::FactorMethod;
use crate::model::user::{FactorOverview, User};
use crate::use_cases::factors::Factors;
use crate::use_cases::factors::change_factors::FactorChange;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Factors<'_> {
    /// The caller's second factors.
    ///
    /// # Errors
    /// When a port fails.
    pub fn factor_overview(self, caller: &Caller) -> Result<FactorOverview, AuthError> {
        Ok(self.service.record_cipher(&caller.user)?.factor_overview(&caller.user)?)
    }

    /// Switches SMS as the second factor. Returns the factors that are on then.
    ///
    /// # Errors
    /// `PhoneNotVerified`, `LastFactor`, `ReauthenticationRequired`, `WrongPassword`, `NotAuthenticated`, `TooManyChanges`.
    pub async fn set_mfa_sms(
        self,
        caller: &Caller,
        on: bool,
        reauthentication: Reauthentication<'_>,
    ) -> Result<FactorOverview, AuthError> {
        let cipher = self.service.record_cipher(&caller.user)?;
        if on == caller.user.mfa_sms {
            // a password that is given is checked in any case
            self.service.confirm_given(caller, reauthentication).await?;
            return Ok(cipher.factor_overview(&caller.user)?);
        }
        self.service.reauthenticate(caller, reauthentication).await?;
        let switch = |user: &mut User| {
            if on && !user.phone_verified {
                return Err(AuthError::PhoneNotVerified);
            }
            let changes = on != user.mfa_sms;
            user.mfa_sms = on;
            Ok(changes)
        };
        let what = FactorChange { factor: FactorMethod::Sms, enabled: on };
        let user = self.change_factors(caller, what, switch).await?;
        Ok(cipher.factor_overview(&user)?)
    }
}
