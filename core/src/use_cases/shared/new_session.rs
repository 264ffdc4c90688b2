//! A new session and its first tokens.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::ids::SessionId;
use crate::model::sealed::Field;
use crate::model::session::{AuthMethods, Session};
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::ShownFactor;
use crate::use_cases::shared::tokens::TokenPair;

/// Sessions a user may have; the oldest end for newer ones.
const SESSIONS: usize = 100;

impl AuthService {
    /// A new session of a user who has just shown all of `methods`, and its tokens. Nothing is stored yet.
    pub(crate) fn new_session(
        &self,
        user: &User,
        client: &Client,
        methods: AuthMethods,
    ) -> Result<(Session, TokenPair), AuthError> {
        self.new_session_of((user, client), methods, self.ports.clock.now())
    }

    /// The same for a user who showed them at another time.
    pub(crate) fn new_session_of(
        &self,
        (user, client): (&User, &Client),
        methods: AuthMethods,
        authenticated_at: Timestamp,
    ) -> Result<(Session, TokenPair), AuthError> {
        let Ports { clock, randomness, .. } = &self.ports;
        let now = clock.now();
        let id = SessionId::random(|bytes| randomness.fill(bytes));
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
            authenticated_at,
            methods,
            failures: 0,
            created_at: now,
            last_used_at: now,
            idle_expires_at: now + lifetimes.refresh_idle.min(lifetimes.refresh_max),
            expires_at: now + lifetimes.refresh_max,
            current: *self.refresh_digest(&user.realm, &refresh).newest(),
            previous: None,
            version: 1,
        };
        let pair = self.issue((&session, &user.roles), &refresh, client.oauth_client.as_deref(), now)?;
        Ok((session, pair))
    }

    /// Opens a session for a user who has shown what was asked.
    pub(crate) async fn open_session(&self, (session, pair): (Session, TokenPair)) -> Result<TokenPair, AuthError> {
        self.commit(self.session_opening(&session)).await?;
        self.end_oldest_sessions(&session).await;
        Ok(pair)
    }

    /// The same with a second factor, which the commit uses up.
    pub(crate) async fn open_session_with_factor(
        &self,
        (session, pair): (Session, TokenPair),
        user: &User,
        shown: &ShownFactor,
    ) -> Result<TokenPair, AuthError> {
        self.commit_with_factor(user, shown, self.session_opening(&session)).await?;
        self.end_oldest_sessions(&session).await;
        Ok(pair)
    }

    fn session_opening(&self, session: &Session) -> UnitOfWork {
        let events = vec![self.event(&session.realm, EventKind::LoggedIn, Some(session.user), Some(session.id))];
        UnitOfWork { events, ..UnitOfWork::of(Change::InsertSession(Box::new(session.clone()))) }
    }

    /// Beyond the most that a user may have, the oldest end. The login is stored: a failure is left to the next one.
    async fn end_oldest_sessions(&self, newest: &Session) {
        let Ports { sessions, database, .. } = &self.ports;
        let (realm, user) = (&newest.realm, newest.user);
        let all = sessions.list(realm, &user).await.unwrap_or_default();
        for oldest in all.iter().take(all.len().saturating_sub(SESSIONS)) {
            let change = Change::EndSession { realm: realm.clone(), id: oldest.id, user };
            // refused: it has ended meanwhile; failed: the next login ends it
            let _ = database.commit(UnitOfWork::of(change)).await;
        }
    }
}
