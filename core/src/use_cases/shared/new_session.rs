//! A new session and its first tokens.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::ids::SessionId;
use crate::model::sealed::Field;
use crate::model::session::{AuthMethods, Session};
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::tokens::TokenPair;

/// Sessions a user may have; the oldest end for newer ones.
const SESSIONS: usize = 100;

impl AuthService {
    /// A new session of a user, and its tokens. Nothing is stored yet.
    pub(crate) fn new_session(
        &self,
        user: &User,
        client: &Client,
        methods: AuthMethods,
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
            authenticated_at: now,
            methods,
            failures: 0,
            created_at: now,
            last_used_at: now,
            idle_expires_at: now + lifetimes.refresh_idle.min(lifetimes.refresh_max),
            expires_at: now + lifetimes.refresh_max,
            current: self.refresh_digest(&user.realm, &refresh),
            previous: None,
            version: 1,
        };
        let pair = self.issue(&session, &refresh, client.oauth_client.as_deref(), now)?;
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
}
