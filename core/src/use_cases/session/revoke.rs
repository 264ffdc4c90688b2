//! Revokes a token (RFC 7009). Either of a session's tokens ends the session, so that none of its
//! others stays behind.

use crate::model::event::EventKind;
use crate::model::realm::Realm;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::errors::AuthError;

impl Sessions<'_> {
    /// Ends the session of a token; an unknown or dead token is no error.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn revoke(self, realm: &Realm, token: &str) -> Result<(), AuthError> {
        let Ports { database, sessions, signer, clock, .. } = &self.service.ports;
        let session = match self.service.parse_refresh(realm, token) {
            Some(refresh) => Some(refresh.session),
            None => signer.verify(realm, token, clock.now()).map(|claims| claims.session),
        };
        let Some(id) = session else { return Ok(()) };
        let Some(session) = sessions.find(realm, &id).await? else { return Ok(()) };
        let work = UnitOfWork {
            events: vec![self.service.event(realm, EventKind::LoggedOut, Some(session.user), Some(id))],
            ..UnitOfWork::of(Change::EndSession { realm: realm.clone(), id, user: session.user })
        };
        match database.commit(work).await? {
            Ok(_) | Err(Refusal::SessionGone) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        }
    }
}
