//! Sessions: opening one at a login, showing them to their owner, ending one of them.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::ids::SessionId;
use crate::model::sealed::Field;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;
use crate::use_cases::tokens::TokenPair;

/// Sessions a user may have; the oldest end for newer ones.
const SESSIONS: usize = 100;

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

impl AuthService {
    /// A new session of a user, and its tokens. Nothing is stored yet.
    pub(crate) fn new_session(&self, user: &User, client: &Client) -> Result<(Session, TokenPair), AuthError> {
        let Ports { clock, randomness, .. } = &self.ports;
        let now = clock.now();
        let id = SessionId::random(&**randomness);
        let refresh = self.new_refresh(id);
        let opener = self.record_cipher(user)?;
        let fields = opener.at(id.as_bytes());
        let lifetimes = &self.policy.lifetimes;
        let session = Session {
            realm: user.realm.clone(),
            id,
            user: user.id,
            credentials_version: user.credentials_version,
            user_agent: fields.seal(Field::UserAgent, &client.user_agent)?,
            address: fields.seal(Field::Address, &client.address.coarse())?,
            authenticated_at: now,
            created_at: now,
            last_used_at: now,
            idle_expires_at: now + lifetimes.refresh_idle.min(lifetimes.refresh_max),
            expires_at: now + lifetimes.refresh_max,
            current: self.refresh_digest(&user.realm, &refresh),
            previous: None,
            version: 1,
        };
        let pair = self.issue(&session, &refresh, now)?;
        Ok((session, pair))
    }

    /// Opens a session for a user who has shown what was asked, in one commit with `changes`. Beyond the most that a
    /// user may have, the oldest end.
    pub(crate) async fn open_session(
        &self,
        (session, pair): (Session, TokenPair),
        mut changes: Vec<Change>,
    ) -> Result<TokenPair, AuthError> {
        let Ports { sessions, database, .. } = &self.ports;
        let (realm, user) = (session.realm.clone(), session.user);
        let events = vec![self.event(&realm, EventKind::LoggedIn, Some(user), Some(session.id))];
        changes.push(Change::InsertSession(Box::new(session)));
        self.commit(UnitOfWork { changes, events, ..UnitOfWork::default() }).await?;
        // the login is stored: what fails from here on is left to the next one
        let all = sessions.list(&realm, &user).await.unwrap_or_default();
        for oldest in all.iter().take(all.len().saturating_sub(SESSIONS)) {
            let change = Change::EndSession { realm: realm.clone(), id: oldest.id, user };
            // refused: it has ended meanwhile; failed: the next login ends it
            let _ = database.commit(UnitOfWork::of(change)).await;
        }
        Ok(pair)
    }

    /// Where the caller is logged in, oldest first.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, AuthError> {
        let Ports { sessions, clock, .. } = &self.ports;
        let (user, now) = (&caller.user, clock.now());
        let opener = self.record_cipher(user)?;
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
                    current: session.id == caller.session.id,
                })
            })
            .collect()
    }

    /// Ends one of the caller's sessions.
    ///
    /// # Errors
    /// `ReauthenticationRequired`; `NotFound` for an unknown id and for another user's alike.
    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<(), AuthError> {
        let Ports { sessions, .. } = &self.ports;
        self.reauthenticate(caller, Reauthentication::None).await?;
        let (realm, user) = (&caller.user.realm, caller.user.id);
        let id = SessionId::parse(id).ok_or(AuthError::NotFound)?;
        let session = sessions.find(realm, &id).await?.filter(|session| session.user == caller.user.id);
        let session = session.ok_or(AuthError::NotFound)?;
        let work = UnitOfWork {
            events: vec![self.event(realm, EventKind::LoggedOut, Some(user), Some(id))],
            ..UnitOfWork::of(Change::EndSession { realm: realm.clone(), id: session.id, user })
        };
        self.commit(work).await.map(|_| ())
    }
}
