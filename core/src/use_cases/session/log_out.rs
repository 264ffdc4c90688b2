//! Log out: this session, or all of them.

use crate::model::event::EventKind;
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

impl Sessions<'_> {
    /// Ends the caller's session: its access and refresh tokens are invalid when this returns.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn log_out(self, caller: &Caller) -> Result<(), AuthError> {
        let Ports { database, .. } = &self.service.ports;
        let session = &caller.session;
        let (realm, user) = (session.realm.clone(), session.user);
        let work = UnitOfWork {
            events: vec![self.service.event(&realm, EventKind::LoggedOut, Some(user), Some(session.id))],
            ..UnitOfWork::of(Change::EndSession { realm, id: session.id, user })
        };
        match database.commit(work).await? {
            // it has ended already: nothing is left to do
            Ok(_) | Err(Refusal::SessionGone) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Ends all of the caller's sessions, also those that are being opened at the same time.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn log_out_everywhere(self, caller: &Caller) -> Result<(), AuthError> {
        let change = |user: &mut User| {
            user.end_rights();
            Ok(())
        };
        let effects = |user: &User| UnitOfWork {
            changes: AuthService::changes_that_end_rights(user),
            events: vec![self.service.event(
                &user.realm,
                EventKind::LoggedOutEverywhere,
                Some(user.id),
                Some(caller.session.id),
            )],
            ..UnitOfWork::default()
        };
        self.service.update_account(caller.user.clone(), VersionCheck::Ignore, change, effects).await.map(|_| ())
    }
}
