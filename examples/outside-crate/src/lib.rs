//! Sessions in memory, by someone who knows Portcullis by its documentation only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::{RotateSession, SessionStore};

type Key = (Realm, SessionId);

/// Each call is one turn under the lock: that is all the atomicity the contract asks for.
#[derive(Debug, Default)]
pub struct MySessions(Mutex<HashMap<Key, Session>>);

impl MySessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_where(&self, gone: impl Fn(&Session) -> bool) -> u64 {
        let mut sessions = self.lock();
        let before = sessions.len();
        sessions.retain(|_, session| !gone(session));
        (before - sessions.len()) as u64
    }
}

#[async_trait]
impl SessionStore for MySessions {
    async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.lock().insert((session.realm.clone(), session.id), session);
        Ok(())
    }

    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        Ok(self.lock().get(&(realm.clone(), *id)).cloned())
    }

    async fn rotate(&self, session: Session, expected: u64) -> Result<RotateSession, PortError> {
        Ok(match self.lock().get_mut(&(session.realm.clone(), session.id)) {
            None => RotateSession::Gone,
            Some(stored) if stored.version != expected => RotateSession::Stale,
            Some(stored) => {
                *stored = session;
                RotateSession::Rotated
            }
        })
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        let sessions = self.lock();
        let of_user = sessions.values().filter(|session| session.realm == *realm && session.user == *user);
        let mut of_user: Vec<Session> = of_user.cloned().collect();
        of_user.sort_by_key(|session| session.created_at);
        Ok(of_user)
    }

    async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError> {
        Ok(self.lock().remove(&(realm.clone(), *id)).is_some())
    }

    async fn end_all(&self, realm: &Realm, user: &UserId, except: Option<SessionId>) -> Result<u64, PortError> {
        Ok(self.drop_where(|session| session.realm == *realm && session.user == *user && Some(session.id) != except))
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        Ok(self.drop_where(|session| session.expired(now)))
    }
}
