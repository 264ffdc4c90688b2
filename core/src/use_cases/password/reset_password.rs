//! Password reset: a person who can read the account's e-mail sets a new password. All sessions end.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::listed_factor::ListedFactor;
use crate::model::locale::Locale;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::{AuthService, Ports};
use crate::use_cases::password::Passwords;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// The content of the page of a reset link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetPreview {
    /// The language of the account.
    pub locale: Locale,
    /// Second factors and remembered devices, for the owner to check.
    pub factors: Vec<ListedFactor>,
}

impl Passwords<'_> {
    /// The page of a valid reset link. Does not use up the link.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_reset(self, realm: &Realm, token: &str) -> Result<ResetPreview, AuthError> {
        let (user, _) = self.find_reset(realm, token).await?;
        let locale = self.service.record_cipher(&user)?.locale(&user.person)?;
        Ok(ResetPreview { locale, factors: self.service.listed_factors(&user)? })
    }

    /// Sets a new password by a reset link.
    ///
    /// # Errors
    /// `InvalidToken`; `Invalid` if the password is not acceptable (the link stays valid); `Overloaded`.
    pub async fn reset_password(self, realm: &Realm, token: &str, new: &str, client: &Client) -> Result<(), AuthError> {
        let Ports { clock, .. } = &self.service.ports;
        let (user, link) = self.find_reset(realm, token).await?;
        let password = self.service.acceptable_password(&user, new).await?;
        let hash = self.service.hash_new_password(&user, password).await?;

        let change = |user: &mut User| {
            user.password = hash.clone();
            user.end_rights();
            Ok(())
        };
        let undo = self.service.new_undo_id();
        let task = Task::PasswordChanged { user: user.id, at: clock.now(), by_reset: true, undo: Some(undo) };
        let effects = |before: &User, user: &User| {
            let mut work = UnitOfWork {
                jobs: vec![self.service.job(realm, task.clone())],
                events: vec![self.service.event(realm, EventKind::PasswordReset, Some(user.id), None)],
                ..UnitOfWork::of(self.service.use_up(&link))
            };
            work.changes.extend(AuthService::changes_that_end_rights(user));
            work.changes.push(self.service.undo_record(undo, UndoableChange::Password, (before, user))?);
            Ok(work)
        };
        let email = self.service.throttle_key_of(&user)?;
        match self.service.update_credentials(user, VersionCheck::MustMatch, change, effects).await {
            // guesses of strangers must not delay the owner, who has just proved control of the mailbox
            Ok(_) => {
                let source = self.service.login_source(realm, &client.address);
                // the password is already changed: a failure here must not look like a failed reset
                let _ = self.service.record_login_success(realm, &email, &source).await;
                Ok(())
            }
            // the credentials version has changed meanwhile: the link is bound to the older one
            Err(AuthError::NotAuthenticated) => Err(AuthError::InvalidToken),
            Err(error) => Err(error),
        }
    }

    async fn find_reset(self, realm: &Realm, token: &str) -> Result<(User, OneTimeToken), AuthError> {
        let Ports { users, clock, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let link = self.service.find_token(realm, Purpose::ResetPassword, &token, clock.now()).await?;
        let link = link.ok_or(AuthError::InvalidToken)?;
        let user = users.find(realm, &link.holder.subject).await?;
        // a link is invalid if the account's address or credentials version has changed since it was sent
        let is_bound =
            |user: &User| self.service.is_bound_to(&link, &user.person.email_index, user.credentials_version);
        let user = user.filter(|user| !user.disabled && is_bound(user));
        Ok((user.ok_or(AuthError::InvalidToken)?, link))
    }
}
