//! An operator ends the sessions of an account, or makes its password void. Either ends every session, token, link, code
//! and challenge, and cancels a pending e-mail change.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::message::OperatorAction;
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::ports::error::PortError;
use crate::service::{AuthService, Ports};
use crate::use_cases::operator::Operators;
use crate::use_cases::operator::accounts::to_not_found;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// The sessions that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionsEnded {
    /// The account.
    pub user: UserId,
    /// How many ended.
    pub sessions: u64,
}

impl Operators<'_> {
    /// Ends all sessions of the account of an id or an address, and tells its owner by mail.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn end_sessions(self, realm: &Realm, who: &str) -> Result<SessionsEnded, AuthError> {
        self.end_sessions_of(self.named(realm, who).await?, true).await
    }

    /// Ends all sessions of an account; `notify`: its owner gets a mail.
    ///
    /// # Errors
    /// `NotFound` for an account that was deleted meanwhile; when a port fails.
    pub async fn end_sessions_of(self, user: User, notify: bool) -> Result<SessionsEnded, AuthError> {
        let now = self.service.ports.clock.now();
        let change = |user: &mut User| {
            self.check(user)?;
            user.end_rights();
            Ok(())
        };
        let effects = |user: &User| {
            let notice =
                notify.then_some(Task::OperatorActed { user: user.id, at: now, action: OperatorAction::SessionsEnded });
            UnitOfWork {
                changes: AuthService::changes_that_end_rights(user),
                jobs: notice.into_iter().map(|task| self.service.job(&user.realm, task)).collect(),
                events: vec![self.event(&user.realm, EventKind::SessionsEnded, Some(user.id))],
            }
        };
        let done = self.service.update_account(user, VersionCheck::Ignore, change, effects).await;
        let done = done.map_err(to_not_found)?;
        Ok(SessionsEnded { user: done.user.id, sessions: done.committed.sessions })
    }

    /// Makes the password of an account void, ends all its sessions, and mails its owner a link to choose a new password.
    /// A disabled account gets no mail and stays disabled.
    ///
    /// # Errors
    /// `NotFound`; `Overloaded`; when a port fails.
    pub async fn require_reset(self, realm: &Realm, who: &str) -> Result<SessionsEnded, AuthError> {
        let user = self.named(realm, who).await?;
        self.check(&user)?;
        let void = self.service.hash_new_password(&user, self.unknown_password()?).await?;
        let change = |user: &mut User| {
            self.check(user)?;
            user.password = void.clone();
            user.end_rights();
            Ok(())
        };
        let effects = |user: &User| UnitOfWork {
            changes: AuthService::changes_that_end_rights(user),
            jobs: vec![self.service.job(realm, Task::ResetRequired(user.id))],
            events: vec![self.event(realm, EventKind::ResetRequired, Some(user.id))],
        };
        let done = self.service.update_account(user, VersionCheck::Ignore, change, effects).await;
        let done = done.map_err(to_not_found)?;
        Ok(SessionsEnded { user: done.user.id, sessions: done.committed.sessions })
    }

    /// A random password.
    pub(super) fn unknown_password(self) -> Result<Password, PortError> {
        let Ports { randomness, .. } = &self.service.ports;
        let text = OpaqueToken::random(|bytes| randomness.fill(bytes)).expose();
        Password::from_login_input(&text).ok_or_else(|| PortError::new("randomness", "a random text is no password"))
    }
}
