//! Change the password: by the person logged in. Every session ends; the caller gets a new one.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::session::Session;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::password::Passwords;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;
use crate::use_cases::shared::tokens::TokenPair;

impl Passwords<'_> {
    /// Changes the caller's password, ends every session and opens a new one for the caller.
    ///
    /// # Errors
    /// `Invalid`, `WrongPassword`, `ReauthenticationRequired`, `TooMany`, `Overloaded`.
    pub async fn change_password(
        self,
        caller: &Caller,
        current: &str,
        new: &str,
        client: &Client,
    ) -> Result<TokenPair, AuthError> {
        let Ports { clock, .. } = &self.service.ports;
        let user = &caller.user;
        let password = self.service.acceptable_password(user, new).await?;
        self.service.reauthenticate(caller, Reauthentication::Password { password: current, client }).await?;
        let hash = self.service.hash_new_password(user, password).await?;

        // the password was shown now, a second factor at the login
        let claims = &caller.claims;
        let shown_at = if user.has_second_factor() { claims.authenticated_at } else { clock.now() };
        let (session, pair) = self.service.new_session_of((user, client), claims.methods, shown_at)?;
        let change = |user: &mut User| {
            user.password = hash.clone();
            user.end_rights();
            Ok(())
        };
        let undo = self.service.new_undo_id();
        let task = Task::PasswordChanged { user: user.id, at: clock.now(), by_reset: false, undo: Some(undo) };
        let effects = |before: &User, user: &User| {
            let opened = Session { credentials_version: user.credentials_version, ..session.clone() };
            let mut changes = AuthService::changes_that_end_rights(user);
            changes.push(Change::InsertSession(Box::new(opened)));
            changes.push(self.service.limit_undos(before));
            changes.push(self.service.undo_record(undo, UndoableChange::Password, (before, user))?);
            Ok(UnitOfWork {
                changes,
                jobs: vec![self.service.job(&user.realm, task.clone())],
                events: vec![self.service.event(
                    &user.realm,
                    EventKind::PasswordChanged,
                    Some(user.id),
                    Some(session.id),
                )],
            })
        };
        self.service.update_credentials(user.clone(), VersionCheck::MustMatch, change, effects).await?;
        Ok(pair)
    }
}
