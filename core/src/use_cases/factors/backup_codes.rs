//! Backup codes: ten, for the day on which every other factor is lost. Each works once, and new ones kill the older.

use crate::model::factor::FactorMethod;
use crate::model::otp::TypedCode;
use crate::model::user::User;
use crate::service::AuthService;
use crate::use_cases::factors::Factors;
use crate::use_cases::factors::change_factors::FactorChange;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Factors<'_> {
    /// Makes new backup codes. They are shown once: the account keeps keyed digests.
    ///
    /// # Errors
    /// `MfaOff`, `ReauthenticationRequired`, also where SMS was the only factor shown and another one is on;
    /// `WrongPassword`, `NotAuthenticated`.
    pub async fn create_backup_codes(
        self,
        caller: &Caller,
        reauthentication: Reauthentication<'_>,
    ) -> Result<Vec<TypedCode>, AuthError> {
        self.service.reauthenticate(caller, reauthentication).await?;
        AuthService::ensure_strong_factor(caller)?;
        let (set, codes) = self.new_backup_codes();
        let replace = |user: &mut User| {
            if !user.has_second_factor() {
                return Err(AuthError::MfaOff);
            }
            user.factors.backup_codes = self.service.seal_backup_codes(user, &set)?;
            Ok(true)
        };
        self.change_factors(caller, FactorChange { factor: FactorMethod::BackupCode, enabled: true }, replace).await?;
        Ok(codes)
    }
}
