//! [`CallerStore`] with copies in front: session and account in one round trip.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;
use portcullis_core::ports::caller_store::CallerStore;
use portcullis_core::ports::error::PortError;

use crate::redis::cache::{Cache, CachedSessions, CachedUsers, Look, Wanted};

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
        let of_session = CachedSessions::place(realm, session);
        let of_user = CachedUsers::place(realm, user);
        let (session_stamp, known_session) = self.sessions.known(&of_session);
        let (user_stamp, known_user) = self.users.known(&of_user);
        let wanted = [
            Wanted { place: &of_session, ended: Some(session.as_bytes()), known: session_stamp },
            Wanted { place: &of_user, ended: None, known: user_stamp },
        ];
        let mut looks = self.cache.look_for_all(&wanted).await.into_iter();
        let mut look = || looks.next().unwrap_or(Look::Closed);
        let (session_look, user_look) = (look(), look());
        let (session, user) = tokio::try_join!(
            self.sessions.answer(session_look, known_session, &of_session, realm, session),
            self.users.answer(user_look, known_user, &of_user, realm, user),
        )?;
        Ok(session.zip(user))
    }
}
