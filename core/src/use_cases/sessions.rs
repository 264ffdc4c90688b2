//! Sessions: opening one at a login, showing them to their owner, ending one of them.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::ids::SessionId;
use crate::model::sealed::Field;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;
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
    /// Opens a session for a user who has shown what was asked.
    pub(crate) async fn open_session(&self, user: &User, client: &Client) -> Result<TokenPair, StoryError> {
        let Ports { sessions, clock, randomness, .. } = &self.ports;
        let now = clock.now();
        let id = SessionId::random(&**randomness);
        let refresh = self.new_refresh(id);
        let opener = self.opener_of(user)?;
        let fields = opener.at(id.as_bytes());
        let lifetimes = &self.policy.lifetimes;
        let session = Session {
            realm: user.realm.clone(),
            id,
            user: user.id,
            generation: user.generation,
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
        sessions.insert(session).await?;
        let all = sessions.list(&user.realm, &user.id).await?;
        for oldest in all.iter().take(all.len().saturating_sub(SESSIONS)) {
            sessions.end(&user.realm, &oldest.id).await?;
        }
        self.record(&user.realm, EventKind::LoggedIn, Some(user.id), Some(id));
        Ok(pair)
    }

    /// Where the caller is logged in, oldest first.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, StoryError> {
        let Ports { sessions, clock, .. } = &self.ports;
        let (user, now) = (&caller.user, clock.now());
        let opener = self.opener_of(user)?;
        let stored = sessions.list(&user.realm, &user.id).await?;
        let alive = stored.iter().filter(|session| !session.expired(now) && session.generation == user.generation);
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
    /// `NotFound` for an unknown id and for another user's alike.
    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<(), StoryError> {
        let Ports { sessions, .. } = &self.ports;
        let realm = &caller.user.realm;
        let id = SessionId::parse(id).ok_or(StoryError::NotFound)?;
        let session = sessions.find(realm, &id).await?.filter(|session| session.user == caller.user.id);
        let session = session.ok_or(StoryError::NotFound)?;
        if !sessions.end(realm, &session.id).await? {
            return Err(StoryError::NotFound);
        }
        self.record(realm, EventKind::LoggedOut, Some(caller.user.id), Some(id));
        Ok(())
    }
}
