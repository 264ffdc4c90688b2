//! Sessions: opening one at a login, showing them to their owner, ending one of them.

use crate::model::event::EventKind;
use crate::model::ids::SessionId;
use crate::model::job::Task;
use crate::model::sealed::Field;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// The device's own words.
    pub user_agent: String,
    /// The coarse address.
    pub address: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Sessions<'_> {
    /// Where the caller is logged in, oldest first.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_sessions(self, caller: &Caller) -> Result<Vec<SessionView>, AuthError> {
        self.sessions_of(&caller.user, Some(caller.session.id)).await
    }

    /// The valid sessions of an account, oldest first.
    pub(crate) async fn sessions_of(
        self,
        user: &User,
        current: Option<SessionId>,
    ) -> Result<Vec<SessionView>, AuthError> {
        let Ports { sessions, clock, .. } = &self.service.ports;
        let now = clock.now();
        let opener = self.service.record_cipher(user)?;
        let stored = sessions.list(&user.realm, &user.id).await?;
        let alive = stored
            .iter()
            .filter(|session| !session.expired(now) && session.credentials_version == user.credentials_version);
        alive
            .map(|session| {
                let fields = opener.at(session.id.as_bytes());
                Ok(SessionView {
                    id: session.id,
                    created_at: session.created_at,
                    last_used_at: session.last_used_at,
                    user_agent: fields.open(Field::UserAgent, &session.user_agent)?,
                    address: fields.open(Field::Address, &session.address)?,
                    current: Some(session.id) == current,
                })
            })
            .collect()
    }

    /// Ends one of the caller's sessions. With another than the caller's own, each remembered device goes whose newest
    /// session is not valid any more: somebody who was thrown out must not come back without a second factor.
    ///
    /// # Errors
    /// `ReauthenticationRequired`; `NotFound` for an unknown id and for another user's alike.
    pub async fn end_session(self, caller: &Caller, id: &str) -> Result<(), AuthError> {
        let Ports { sessions, clock, .. } = &self.service.ports;
        self.service.reauthenticate(caller, Reauthentication::None).await?;
        let (realm, user) = (&caller.user.realm, caller.user.id);
        let id = SessionId::parse(id).ok_or(AuthError::NotFound)?;
        let session = sessions.find(realm, &id).await?.filter(|session| session.user == caller.user.id);
        let session = session.ok_or(AuthError::NotFound)?;
        let task = Task::SessionEnded { user, at: clock.now() };
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, task)],
            events: vec![self.service.event(realm, EventKind::LoggedOut, Some(user), Some(id))],
            ..UnitOfWork::of(Change::EndSession { realm: realm.clone(), id: session.id, user })
        };
        if id == caller.session.id {
            return self.service.commit(work).await.map(|_| ());
        }
        self.service.end_session_and_devices(&caller.user, &id, work).await
    }
}
