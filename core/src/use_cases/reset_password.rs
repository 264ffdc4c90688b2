//! Reset: whoever reads the account's mail sets a new password, and every session ends.

use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::AuthError;
use crate::use_cases::shared::commit::VersionCheck;

impl AuthService {
    /// Whether a reset link is good. Changes nothing.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_reset(&self, realm: &Realm, token: &str) -> Result<(), AuthError> {
        self.find_reset(realm, token).await.map(|_| ())
    }

    /// Sets a new password by a reset link.
    ///
    /// # Errors
    /// `InvalidToken`; `Invalid` for a password that is not acceptable, which leaves the link good; `Overloaded`.
    pub async fn reset_password(&self, realm: &Realm, token: &str, new: &str) -> Result<(), AuthError> {
        let Ports { clock, .. } = &self.ports;
        let (user, link) = self.find_reset(realm, token).await?;
        let password = self.acceptable_password(&user, new).await?;
        let hash = self.hash_new_password(password).await?;

        let change = |user: &mut User| {
            user.password = hash.clone();
            user.end_rights();
            Ok(())
        };
        let task = Task::PasswordChanged { user: user.id, at: clock.now(), by_reset: true };
        let effects = |user: &User| {
            let mut work = UnitOfWork {
                jobs: vec![self.job(realm, task.clone())],
                events: vec![self.event(realm, EventKind::PasswordReset, Some(user.id), None)],
                ..UnitOfWork::of(self.use_up(&link))
            };
            work.changes.extend(Self::changes_that_end_rights(user));
            let email = user.person.email_index;
            work.with(Change::RemoveRegistrations { realm: realm.clone(), email })
        };
        match self.update_account(user, VersionCheck::MustMatch, change, effects).await {
            // the link belongs to the credentials version that has passed
            Err(AuthError::NotAuthenticated) => Err(AuthError::InvalidToken),
            done => done.map(|_| ()),
        }
    }

    async fn find_reset(&self, realm: &Realm, token: &str) -> Result<(User, OneTimeToken), AuthError> {
        let Ports { one_time_tokens, users, clock, .. } = &self.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let digest = self.token_digest(realm, Purpose::ResetPassword, &token);
        let found = one_time_tokens.find_valid(realm, Purpose::ResetPassword, &digest, clock.now()).await?;
        let found = found.ok_or(AuthError::InvalidToken)?;
        let user = users.find(realm, &found.holder.subject).await?;
        // a link mailed to an address that is not the account's any more is worth nothing
        let user = user.filter(|user| !user.disabled && found.binding == Some(self.reset_binding(user)));
        Ok((user.ok_or(AuthError::InvalidToken)?, found))
    }

    /// What a reset link is bound to.
    pub(crate) fn reset_binding(&self, user: &User) -> Digest {
        let email = user.person.email_index;
        self.token_binding(&user.realm, Purpose::ResetPassword, email.as_bytes(), user.credentials_version)
    }
}
