//! The second factor, on and off. Both need recent authentication; on needs a verified phone too. Both end every other
//! session, link and code of the account.

use crate::model::event::EventKind;
use crate::model::ids::UndoId;
use crate::model::job::Task;
use crate::model::session::Session;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Factors<'_> {
    /// Switches SMS as the second factor.
    ///
    /// # Errors
    /// `PhoneNotVerified`, `ReauthenticationRequired`, `WrongPassword`, `NotAuthenticated`.
    pub async fn set_mfa_sms(
        self,
        caller: &Caller,
        on: bool,
        reauthentication: Reauthentication<'_>,
    ) -> Result<(), AuthError> {
        let Ports { database, sessions, users, clock, .. } = &self.service.ports;
        let (realm, id) = (&caller.user.realm, &caller.user.id);
        if on == caller.user.mfa_sms {
            // a password that is given is checked in any case
            return self.service.confirm_given(caller, reauthentication).await.map(|_| ());
        }
        self.service.reauthenticate(caller, reauthentication).await?;
        let undo = self.service.new_undo_id();
        let task = Task::MfaChanged { user: *id, at: clock.now(), enabled: on, undo: Some(undo) };
        // each turn loses only to another change of the account, or to a refresh of the session
        loop {
            let session = sessions.find(realm, &caller.session.id).await?.ok_or(AuthError::NotAuthenticated)?;
            let same = |user: &User| user.credentials_version == caller.user.credentials_version;
            let user = users.find(realm, id).await?.filter(same).ok_or(AuthError::NotAuthenticated)?;
            if on == user.mfa_sms {
                return Ok(());
            }
            if on && !user.phone_verified {
                return Err(AuthError::PhoneNotVerified);
            }
            match database.commit(self.switch(&user, &session, (undo, task.clone()))?).await? {
                Ok(_) => return Ok(()),
                Err(Refusal::UserStale | Refusal::SessionStale) => {}
                Err(_) => return Err(AuthError::NotAuthenticated),
            }
        }
    }

    /// Switches SMS, ends every other session and keeps this one.
    fn switch(self, user: &User, session: &Session, (undo, task): (UndoId, Task)) -> Result<UnitOfWork, AuthError> {
        let (realm, id, expected, on) = (user.realm.clone(), user.id, user.version, !user.mfa_sms);
        let updated_at = self.service.ports.clock.now();
        let mut next = User { mfa_sms: on, version: expected + 1, updated_at, ..user.clone() };
        next.end_rights();
        let kept =
            Session { credentials_version: next.credentials_version, version: session.version + 1, ..session.clone() };
        let kind = if on { EventKind::MfaEnabled } else { EventKind::MfaDisabled };
        let record = self.service.undo_record(undo, UndoableChange::Factors, (user, &next))?;
        Ok(UnitOfWork {
            changes: vec![
                Change::ReplaceUser { user: Box::new(next), expected },
                Change::ReplaceSession { session: Box::new(kept), expected: session.version },
                Change::EndSessions { realm: realm.clone(), user: id, except: Some(session.id) },
                Change::RemoveTokens { realm: realm.clone(), subject: id },
                record,
            ],
            jobs: vec![self.service.job(&realm, task)],
            events: vec![self.service.event(&realm, kind, Some(id), Some(session.id))],
        })
    }
}
