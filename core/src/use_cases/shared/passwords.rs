//! Rules and hashes of new passwords.

use crate::model::code::Code;
use crate::model::code::Violation;
use crate::model::password::Password;
use crate::model::registration_form::parse_password;
use crate::model::sealed::Sealed;
use crate::model::user::PasswordHash;
use crate::model::user::User;
use crate::service::AuthService;
use crate::use_cases::shared::errors::AuthError;

impl AuthService {
    /// The violation by a breached password.
    pub(crate) async fn check_breached(&self, password: &Password) -> Result<Option<Violation>, AuthError> {
        let known = self.ports.breached.contains(password).await?;
        Ok(known.then(|| Violation::new("password", Code::PasswordBreached)))
    }

    /// A new password for this user, or its violations.
    pub(crate) async fn acceptable_password(&self, user: &User, new: &str) -> Result<Password, AuthError> {
        let context = self.strength_context(&self.decrypt_profile(user)?);
        let parsed = parse_password(new, &self.policy.passwords, &context);
        let breached = match Password::from_login_input(new) {
            Some(presented) => self.check_breached(&presented).await?,
            None => None,
        };
        match (parsed, breached) {
            (Ok(password), None) => Ok(password),
            (Ok(_), Some(breached)) => Err(AuthError::Invalid(vec![breached])),
            (Err(mut violations), breached) => {
                violations.extend(breached);
                Err(AuthError::Invalid(violations))
            }
        }
    }

    /// A new password keeps the salt of the old one, so that pending registrations of the address stay comparable.
    pub(crate) async fn hash_new_password(&self, user: &User, password: Password) -> Result<Sealed, AuthError> {
        let cipher = self.record_cipher(user)?;
        let hash = self.ports.hasher.hash_with_salt_of(password, cipher.open_password(&user.password)?).await?;
        Ok(cipher.seal_password(&hash)?)
    }

    /// Whether that is the password of a hash.
    pub(crate) async fn password_matches(&self, password: Password, stored: PasswordHash) -> Result<bool, AuthError> {
        Ok(self.ports.hasher.hash_like(password, stored.clone()).await?.matches(&stored))
    }
}
