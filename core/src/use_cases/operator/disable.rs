//! Disables and enables an account. A disabled one answers like an unknown one, keeps its
//! address, and has no token of any kind; what it is enabled with is its password, and nothing older.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::AuthService;
use crate::use_cases::operator::Operators;
use crate::use_cases::operator::accounts::to_not_found;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// The result of disabling or enabling an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// The account.
    pub user: UserId,
    /// Whether it was otherwise before.
    pub changed: bool,
    /// Sessions that ended.
    pub sessions: u64,
}

impl Operators<'_> {
    /// Disables the account of an id or an address: every token of it, access tokens included, is dead when this
    /// answers, those too that are being made right now. One commit: repeat the call after an error.
    ///
    /// # Errors
    /// `NotFound`; `PreconditionFailed`; when a port fails.
    pub async fn disable(self, realm: &Realm, who: &str) -> Result<StatusChange, AuthError> {
        let user = self.named(realm, who).await?;
        self.check(&user)?;
        let event = |user: &User| self.event(realm, EventKind::AccountDisabled, Some(user.id));
        if user.disabled {
            // a call that repeats one whose answer was lost is recorded too
            self.service.commit(UnitOfWork { events: vec![event(&user)], ..UnitOfWork::default() }).await?;
            return Ok(StatusChange { user: user.id, changed: false, sessions: 0 });
        }
        let change = |user: &mut User| {
            self.check(user)?;
            user.disabled = true;
            user.end_rights();
            Ok(())
        };
        let effects = |user: &User| UnitOfWork {
            changes: AuthService::changes_that_end_rights(user),
            events: vec![event(user)],
            ..UnitOfWork::default()
        };
        let done =
            self.service.update_account(user, VersionCheck::Ignore, change, effects).await.map_err(to_not_found)?;
        Ok(StatusChange { user: done.user.id, changed: true, sessions: done.committed.sessions })
    }

    /// Takes the word back: its owner may log in again.
    ///
    /// # Errors
    /// `NotFound`; `PreconditionFailed`; when a port fails.
    pub async fn enable(self, realm: &Realm, who: &str) -> Result<StatusChange, AuthError> {
        let user = self.named(realm, who).await?;
        self.check(&user)?;
        let event = |user: &User| self.event(realm, EventKind::AccountEnabled, Some(user.id));
        if !user.disabled {
            self.service.commit(UnitOfWork { events: vec![event(&user)], ..UnitOfWork::default() }).await?;
            return Ok(StatusChange { user: user.id, changed: false, sessions: 0 });
        }
        let change = |user: &mut User| {
            self.check(user)?;
            user.disabled = false;
            Ok(())
        };
        // a worker may have stored a link while the account was disabled
        let effects = |user: &User| UnitOfWork {
            changes: vec![Change::RemoveTokens { realm: realm.clone(), subject: user.id }],
            events: vec![event(user)],
            ..UnitOfWork::default()
        };
        let done =
            self.service.update_account(user, VersionCheck::Ignore, change, effects).await.map_err(to_not_found)?;
        Ok(StatusChange { user: done.user.id, changed: true, sessions: 0 })
    }
}
