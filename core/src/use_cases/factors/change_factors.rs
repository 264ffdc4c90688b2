//! A change of an account's factors. It ends every other session, link and code of the account, can be undone, and the
//! owner gets a notice.

use crate::model::event::EventKind;
use crate::model::factor::FactorMethod;
use crate::model::job::Task;
use crate::model::session::Session;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

/// A change for the notice and the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FactorChange {
    pub factor: FactorMethod,
    pub enabled: bool,
}

impl Factors<'_> {
    /// Applies `change` to the newest version of the caller's account, and keeps the caller's session. `change` says whether
    /// there is anything to do. Returns the account as it is then.
    ///
    /// # Errors
    /// `NotAuthenticated`, `TooManyChanges`, `LastFactor`; those of `change`.
    pub(super) async fn change_factors(
        self,
        caller: &Caller,
        what: FactorChange,
        change: impl Fn(&mut User) -> Result<bool, AuthError> + Send + Sync,
    ) -> Result<User, AuthError> {
        let Ports { database, sessions, users, clock, .. } = &self.service.ports;
        let (realm, id) = (&caller.user.realm, &caller.user.id);
        let undo = self.service.new_undo_id();
        let FactorChange { factor, enabled } = what;
        let task = Task::MfaChanged { user: *id, at: clock.now(), factor, enabled, undo: Some(undo) };
        // each turn loses only to another change of the account, or to a refresh of the session
        loop {
            let session = sessions.find(realm, &caller.session.id).await?.ok_or(AuthError::NotAuthenticated)?;
            let same = |user: &User| user.credentials_version == caller.user.credentials_version;
            let user = users.find(realm, id).await?.filter(same).ok_or(AuthError::NotAuthenticated)?;
            let mut next = User { version: user.version + 1, updated_at: clock.now(), ..user.clone() };
            if !change(&mut next)? {
                return Ok(user);
            }
            if self.service.needs_factor(&next) && user.has_second_factor() && !next.has_second_factor() {
                return Err(AuthError::LastFactor);
            }
            next.drop_what_needs_a_factor();
            next.end_rights();
            let record = self.service.undo_record(undo, UndoableChange::Factors, (&user, &next))?;
            let mut work = Self::ending_other_sessions(&next, &session);
            work.changes.push(self.service.limit_undos(&user));
            work.changes.push(record);
            work.jobs.push(self.service.job(realm, task.clone()));
            work.events.push(self.service.event(realm, event_of(what), Some(*id), Some(session.id)));
            match database.commit(work).await? {
                Ok(_) => return Ok(next),
                Err(Refusal::UserStale | Refusal::SessionStale) => {}
                Err(Refusal::UndoLimit) => return Err(self.service.too_many_changes(&user).await),
                Err(_) => return Err(AuthError::NotAuthenticated),
            }
        }
    }

    fn ending_other_sessions(next: &User, session: &Session) -> UnitOfWork {
        let (realm, id, expected) = (next.realm.clone(), next.id, next.version - 1);
        let kept =
            Session { credentials_version: next.credentials_version, version: session.version + 1, ..session.clone() };
        UnitOfWork {
            changes: vec![
                Change::ReplaceUser { user: Box::new(next.clone()), expected },
                Change::ReplaceSession { session: Box::new(kept), expected: session.version },
                Change::EndSessions { realm: realm.clone(), user: id, except: Some(session.id) },
                Change::RemoveTokens { realm, subject: id },
            ],
            ..UnitOfWork::default()
        }
    }
}

impl AuthService {
    /// Passes a caller who may weaken the factors of the account. SMS is the weakest: where a stronger factor is on, the
    /// access token must say that another one than SMS was shown.
    ///
    /// # Errors
    /// `ReauthenticationRequired`.
    pub(super) fn ensure_strong_factor(caller: &Caller) -> Result<(), AuthError> {
        if !caller.user.has_factor_beyond_sms() || caller.claims.methods.has_factor_beyond_sms() {
            Ok(())
        } else {
            Err(AuthError::ReauthenticationRequired)
        }
    }
}

const fn event_of(change: FactorChange) -> EventKind {
    match change {
        FactorChange { factor: FactorMethod::BackupCode, .. } => EventKind::BackupCodesCreated,
        FactorChange { factor: FactorMethod::Passkey, enabled: true } => EventKind::PasskeyAdded,
        FactorChange { factor: FactorMethod::Passkey, enabled: false } => EventKind::PasskeyRemoved,
        FactorChange { enabled: true, .. } => EventKind::MfaEnabled,
        FactorChange { enabled: false, .. } => EventKind::MfaDisabled,
    }
}
