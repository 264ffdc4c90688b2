//! Add a passkey: a challenge for a caller who has authenticated recently, and the response of the caller's authenticator.

use crate::model::factor::FactorMethod;
use crate::model::ids::PasskeyId;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::passkey::{MAX_PASSKEYS, Passkey, PasskeyCredential, PasskeyName};
use crate::model::sealed::{Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::passkey_verifier::PasskeyOwner;
use crate::service::{AuthService, Ports};
use crate::use_cases::factors::Factors;
use crate::use_cases::factors::change_factors::FactorChange;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::passkeys::PasskeyCeremony;
use crate::use_cases::shared::reauthenticate::Reauthentication;

/// A passkey that was added.
#[derive(Debug)]
pub struct AddedPasskey {
    /// The passkey.
    pub passkey: Passkey,
    /// Backup codes, where it is the first factor of the account.
    pub backup_codes: Option<Vec<TypedCode>>,
}

impl Factors<'_> {
    /// Makes a challenge for a new passkey.
    ///
    /// # Errors
    /// `PasskeyLimit`; `ReauthenticationRequired`, also where SMS was the only factor shown and another one is on;
    /// `WrongPassword`.
    pub async fn begin_passkey(
        self,
        caller: &Caller,
        reauthentication: Reauthentication<'_>,
    ) -> Result<PasskeyCeremony, AuthError> {
        let Ports { passkeys: verifier, .. } = &self.service.ports;
        self.service.reauthenticate(caller, reauthentication).await?;
        AuthService::ensure_strong_factor(caller)?;
        let user = &caller.user;
        let cipher = self.service.record_cipher(user)?;
        let passkeys = cipher.passkeys(user)?;
        if passkeys.0.len() >= MAX_PASSKEYS {
            return Err(AuthError::PasskeyLimit);
        }
        let (holder, binding) =
            (AuthService::holder(&user.realm, Purpose::PasskeyNew, user.id), *self.binding(caller).newest());
        let expires_in = self.service.policy.lifetimes.otp;
        let (token, stored) = self.service.new_one_time_token(holder, Some(binding), expires_in);
        let email = cipher.email(Field::Email, &user.person.email)?;
        let first_name = cipher.first_name(&user.person)?;
        let last_name = cipher.open(Field::LastName, &user.person.last_name)?;
        let display_name = format!("{} {last_name}", first_name.as_str());
        let owner = PasskeyOwner { user: user.id, name: email.as_str(), display_name: display_name.trim() };
        let known: Vec<&PasskeyCredential> = passkeys.0.iter().map(|passkey| &passkey.credential).collect();
        let options = verifier.creation_options(owner, token.as_bytes(), &known)?;
        self.service.commit(UnitOfWork::of(Change::PutToken(Box::new(stored)))).await?;
        Ok(PasskeyCeremony { token, options, expires_in })
    }

    /// Adds the passkey that answers a challenge of the caller's session. Ends every other session, link and code of the
    /// account. The first factor of an account comes with backup codes.
    ///
    /// # Errors
    /// `InvalidToken` for a challenge that is not good any more and for a response that is refused; `PasskeyKnown`,
    /// `PasskeyLimit`, `NotAuthenticated`, `TooManyChanges`.
    pub async fn add_passkey(
        self,
        caller: &Caller,
        token: &str,
        response: &str,
        name: PasskeyName,
    ) -> Result<AddedPasskey, AuthError> {
        let Ports { clock, randomness, passkeys: verifier, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let realm = &caller.user.realm;
        let found = self.service.find_token(realm, Purpose::PasskeyNew, &token, clock.now()).await?;
        let is_callers = |found: &OneTimeToken| {
            found.holder.subject == caller.user.id
                && found.binding.is_some_and(|stored| self.binding(caller).has(&stored))
        };
        found.filter(is_callers).ok_or(AuthError::InvalidToken)?;
        let credential = verifier.verify_new(token.as_bytes(), response).map_err(|_| AuthError::InvalidToken)?;
        let passkey = Passkey {
            id: PasskeyId::random(|bytes| randomness.fill(bytes)),
            name,
            credential,
            created_at: clock.now(),
            last_used_at: None,
        };
        let first = !caller.user.has_second_factor();
        let (set, codes) = self.new_backup_codes();
        let add = |user: &mut User| {
            let cipher = self.service.record_cipher(user)?;
            let mut passkeys = cipher.passkeys(user)?;
            if passkeys.find_credential(&passkey.credential.id).is_some() {
                return Err(AuthError::PasskeyKnown);
            }
            if passkeys.0.len() >= MAX_PASSKEYS {
                return Err(AuthError::PasskeyLimit);
            }
            passkeys.0.push(passkey.clone());
            let sealed = cipher.seal_passkeys(&passkeys)?;
            user.factors.passkeys = sealed;
            if first {
                user.factors.backup_codes = self.service.seal_backup_codes(user, &set)?;
            }
            Ok(true)
        };
        let what = FactorChange { factor: FactorMethod::Passkey, enabled: true };
        self.change_factors(caller, what, add).await?;
        Ok(AddedPasskey { passkey, backup_codes: first.then_some(codes) })
    }

    /// The challenge is good in one session, while nothing else changes the credentials.
    fn binding(self, caller: &Caller) -> RingDigest {
        let (user, session) = (&caller.user, caller.session.id);
        self.service.token_binding(&user.realm, Purpose::PasskeyNew, session.as_bytes(), user.credentials_version)
    }
}
