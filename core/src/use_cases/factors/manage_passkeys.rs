//! List, rename and remove passkeys.

use crate::model::factor::FactorMethod;
use crate::model::ids::PasskeyId;
use crate::model::passkey::{Passkey, PasskeyName};
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::AuthService;
use crate::use_cases::factors::Factors;
use crate::use_cases::factors::change_factors::FactorChange;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Factors<'_> {
    /// The caller's passkeys, the oldest first.
    ///
    /// # Errors
    /// When a port fails.
    pub fn list_passkeys(self, caller: &Caller) -> Result<Vec<Passkey>, AuthError> {
        Ok(self.service.record_cipher(&caller.user)?.passkeys(&caller.user)?.0)
    }

    /// Gives a passkey another name.
    ///
    /// # Errors
    /// `NotFound`, `NotAuthenticated`.
    pub async fn rename_passkey(
        self,
        caller: &Caller,
        id: PasskeyId,
        name: &PasskeyName,
    ) -> Result<Passkey, AuthError> {
        let rename = |user: &mut User| {
            let cipher = self.service.record_cipher(user)?;
            let mut passkeys = cipher.passkeys(user)?;
            passkeys.find_mut(id).ok_or(AuthError::NotFound)?.name = name.clone();
            let sealed = cipher.seal_passkeys(&passkeys)?;
            user.factors.passkeys = sealed;
            Ok(())
        };
        let user = caller.user.clone();
        let done =
            self.service.update_account(user, VersionCheck::MustMatch, rename, |_| UnitOfWork::default()).await?;
        let mut passkeys = self.service.record_cipher(&done.user)?.passkeys(&done.user)?;
        passkeys.find_mut(id).cloned().ok_or(AuthError::NotFound)
    }

    /// Removes a passkey. Ends every other session, link and code of the account; where no other factor is on, the backup
    /// codes go too.
    ///
    /// # Errors
    /// `NotFound`; `LastFactor`, `ReauthenticationRequired`, also where SMS was the only factor shown; `WrongPassword`,
    /// `NotAuthenticated`, `TooManyChanges`.
    pub async fn remove_passkey(
        self,
        caller: &Caller,
        id: PasskeyId,
        reauthentication: Reauthentication<'_>,
    ) -> Result<(), AuthError> {
        self.service.reauthenticate(caller, reauthentication).await?;
        AuthService::ensure_strong_factor(caller)?;
        let remove = |user: &mut User| {
            let cipher = self.service.record_cipher(user)?;
            let mut passkeys = cipher.passkeys(user)?;
            let before = passkeys.0.len();
            passkeys.0.retain(|passkey| passkey.id != id);
            if passkeys.0.len() == before {
                return Err(AuthError::NotFound);
            }
            let sealed = cipher.seal_passkeys(&passkeys)?;
            user.factors.passkeys = sealed;
            Ok(true)
        };
        let what = FactorChange { factor: FactorMethod::Passkey, enabled: false };
        self.change_factors(caller, what, remove).await.map(|_| ())
    }
}
