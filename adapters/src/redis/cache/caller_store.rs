//! [`CallerStore`] with copies in front: session and account in one round trip.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;
use portcullis_core::ports::caller_store::CallerStore;
use portcullis_core::ports::error::PortError;

use crate::redis::cache::{Cache, CachedSessions, CachedUsers};

/// Sessions and accounts with copies of them in Redis.
pub struct CachedCallers {
    cache: Arc<Cache>,
    sessions: Arc<CachedSessions>,
    users: Arc<CachedUsers>,
}

impl CachedCallers {
    /// The copies that these two keep.
    #[must_use]
    pub fn new(cache: Arc<Cache>, sessions: Arc<CachedSessions>, users: Arc<CachedUsers>) -> Self {
        Self { cache, sessions, users }
    }
}

#[async_trait]
impl CallerStore for CachedCallers {
    async fn find_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let (sessions, users) = (&self.sessions, &self.users);
        let of_session = CachedSessions::place(realm, session);
        let (of_session, known_session) = sessions.copies.wanted(of_session, Some(*session.as_bytes()));
        let (of_user, known_user) = users.copies.wanted(CachedUsers::place(realm, user), None);
        let [session_look, user_look] = self.cache.looks.look([of_session, of_user]).await;
        let session_of_store = async || sessions.store.find(realm, session).await;
        let user_of_store = async || users.store.find(realm, user).await;
        let (session, user) = tokio::try_join!(
            sessions.copies.answer(session_look, known_session, session_of_store),
            users.copies.answer(user_look, known_user, user_of_store),
        )?;
        Ok(session.zip(user))
    }
}
