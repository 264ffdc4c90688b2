//! An authenticator app as the second factor: begun with recent authentication, on with its first code, and removed.

use std::time::Duration;

use crate::model::factor::{BackupCodes, FactorMethod, PendingTotp, Totp};
use crate::model::otp::TypedCode;
use crate::model::sealed::Field;
use crate::model::secret::SecretString;
use crate::model::totp::TotpSecret;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::{AuthService, Ports};
use crate::use_cases::factors::Factors;
use crate::use_cases::factors::change_factors::FactorChange;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

/// How long the first code is awaited.
const ENROLMENT_LIFETIME: Duration = Duration::from_secs(600);

/// A new key for an authenticator app, shown to its owner once.
#[derive(Debug)]
pub struct TotpEnrolment {
    /// The key as base32, for typing.
    pub secret: SecretString,
    /// The key as an `otpauth` URI, for a QR code.
    pub uri: SecretString,
    /// How long the first code is awaited.
    pub expires_in: Duration,
}

impl Factors<'_> {
    /// Makes a key for an authenticator app. It counts once its first code comes back, in the same session.
    ///
    /// # Errors
    /// `TotpOn`, `ReauthenticationRequired`, `WrongPassword`, `NotAuthenticated`.
    pub async fn begin_totp(
        self,
        caller: &Caller,
        reauthentication: Reauthentication<'_>,
    ) -> Result<TotpEnrolment, AuthError> {
        let Ports { clock, randomness, .. } = &self.service.ports;
        self.service.reauthenticate(caller, reauthentication).await?;
        let secret = TotpSecret::random(|bytes| randomness.fill(bytes));
        let expires_at = clock.now() + ENROLMENT_LIFETIME;
        let cipher = self.service.record_cipher(&caller.user)?;
        let pending = PendingTotp { secret: secret.clone(), session: caller.session.id, expires_at };
        let sealed = cipher.seal(Field::PendingTotp, &pending.to_text())?;
        let email = cipher.email(Field::Email, &caller.user.person.email)?;
        let change = |user: &mut User| {
            if user.factors.totp.is_some() {
                return Err(AuthError::TotpOn);
            }
            user.factors.pending_totp = Some(sealed.clone());
            Ok(())
        };
        let user = caller.user.clone();
        self.service.update_account(user, VersionCheck::MustMatch, change, |_| UnitOfWork::default()).await?;
        let uri = secret.to_uri(&self.service.policy.app_name, email.as_str());
        Ok(TotpEnrolment { secret: secret.to_base32(), uri, expires_in: ENROLMENT_LIFETIME })
    }

    /// Switches the authenticator app on by its first code, and makes backup codes. A wrong code counts in the session.
    ///
    /// # Errors
    /// `InvalidToken`, `TotpOn`, `NotAuthenticated`.
    pub async fn confirm_totp(self, caller: &Caller, otp: &str) -> Result<Vec<TypedCode>, AuthError> {
        let code = TypedCode::parse_digits(otp).ok_or(AuthError::InvalidToken)?;
        let (set, codes) = self.new_backup_codes();
        let switch = |user: &mut User| {
            if user.factors.totp.is_some() {
                return Err(AuthError::TotpOn);
            }
            let totp = self.confirmed(caller, user, &code)?.ok_or(AuthError::InvalidToken)?;
            user.factors.totp = Some(self.service.record_cipher(user)?.seal(Field::Totp, &totp.to_text())?);
            user.factors.backup_codes = self.service.seal_backup_codes(user, &set)?;
            Ok(true)
        };
        let what = FactorChange { factor: FactorMethod::Totp, enabled: true };
        match self.change_factors(caller, what, switch).await {
            Ok(_) => Ok(codes),
            Err(AuthError::InvalidToken) => {
                self.service.count_session_failure(caller, None).await?;
                Err(AuthError::InvalidToken)
            }
            Err(error) => Err(error),
        }
    }

    /// Switches the authenticator app off. Where no other factor is on, the backup codes go too.
    ///
    /// # Errors
    /// `LastFactor`, `ReauthenticationRequired`, also where SMS was the only factor shown; `WrongPassword`, `NotAuthenticated`.
    pub async fn remove_totp(self, caller: &Caller, reauthentication: Reauthentication<'_>) -> Result<(), AuthError> {
        if caller.user.factors.totp.is_none() {
            return self.service.confirm_given(caller, reauthentication).await.map(|_| ());
        }
        self.service.reauthenticate(caller, reauthentication).await?;
        AuthService::ensure_strong_factor(caller)?;
        let switch = |user: &mut User| Ok(user.factors.totp.take().is_some());
        let what = FactorChange { factor: FactorMethod::Totp, enabled: false };
        self.change_factors(caller, what, switch).await.map(|_| ())
    }

    /// The pending key of this session, if that is a code of it.
    fn confirmed(self, caller: &Caller, user: &User, code: &TypedCode) -> Result<Option<Totp>, AuthError> {
        let now = self.service.ports.clock.now();
        let pending = self.service.record_cipher(user)?.pending_totp(user)?;
        let pending = pending.filter(|pending| pending.session == caller.session.id && now < pending.expires_at);
        let Some(PendingTotp { secret, .. }) = pending else { return Ok(None) };
        let step = secret.matching_step(code, now, 0);
        Ok(step.map(|last_step| Totp { secret, last_step, since: now }))
    }

    pub(super) fn new_backup_codes(self) -> (BackupCodes, Vec<TypedCode>) {
        let Ports { clock, randomness, .. } = &self.service.ports;
        BackupCodes::random(|bytes| randomness.fill(bytes), clock.now())
    }
}
