//! Change the password: by the person logged in. Every session ends; the caller gets a new one.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::password::Password;
use crate::model::registration_form::parse_password;
use crate::model::session::Session;
use crate::model::user::{PasswordHash, User};
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::AuthError;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::tokens::TokenPair;

impl AuthService {
    /// Changes the caller's password, ends every session and opens a new one for the caller.
    ///
    /// # Errors
    /// `Invalid`, `WrongPassword`, `TooMany`, `Overloaded`.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        client: &Client,
    ) -> Result<TokenPair, AuthError> {
        let Ports { clock, .. } = &self.ports;
        let user = &caller.user;
        let password = self.acceptable_password(user, new).await?;
        self.confirm_password(user, current, client).await?;
        let hash = self.hash_new_password(password).await?;

        let (session, pair) = self.new_session(user, client)?;
        let change = |user: &mut User| {
            user.password = hash.clone();
            user.end_rights();
            Ok(())
        };
        let task = Task::PasswordChanged { user: user.id, at: clock.now(), by_reset: false };
        let effects = |user: &User| {
            let opened = Session { credentials_version: user.credentials_version, ..session.clone() };
            let mut changes = Self::changes_that_end_rights(user);
            changes.push(Change::InsertSession(Box::new(opened)));
            UnitOfWork {
                changes,
                jobs: vec![self.job(&user.realm, task.clone())],
                events: vec![self.event(&user.realm, EventKind::PasswordChanged, Some(user.id), Some(session.id))],
            }
        };
        self.update_account(user.clone(), VersionCheck::MustMatch, change, effects).await?;
        Ok(pair)
    }

    /// A new password for this user, or all that is wrong with it.
    pub(crate) async fn acceptable_password(&self, user: &User, new: &str) -> Result<Password, AuthError> {
        let context = self.strength_context(&self.decrypt_profile(user)?);
        let parsed = parse_password(new, &self.policy.passwords, &context);
        let breach = match Password::presented(new) {
            Some(presented) => self.breach(&presented).await?,
            None => None,
        };
        match (parsed, breach) {
            (Ok(password), None) => Ok(password),
            (Ok(_), Some(breach)) => Err(AuthError::Invalid(vec![breach])),
            (Err(mut violations), breach) => {
                violations.extend(breach);
                Err(AuthError::Invalid(violations))
            }
        }
    }

    /// A hash with a salt of its own.
    pub(crate) async fn hash_new_password(&self, password: Password) -> Result<PasswordHash, AuthError> {
        let Ports { hasher, randomness, .. } = &self.ports;
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        Ok(hasher.hash(password, salt).await?)
    }
}
