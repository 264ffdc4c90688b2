//! [`SessionStore`] with copies in front: the quick answer to whether a session lives. An ended one is remembered in a
//! filter that all instances share: what it may hold is looked up in the store, whatever a copy says.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::{RotateSession, SessionStore};

use crate::mongo::stored;
use crate::redis::cache::copies::{Copies, Written};
use crate::redis::cache::{Advance, Cache};

/// Sessions with copies of them in Redis.
pub struct CachedSessions {
    cache: Arc<Cache>,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) copies: Copies<Session>,
}

impl CachedSessions {
    /// Copies of what `store` has.
    #[must_use]
    pub fn new(cache: Arc<Cache>, store: Arc<dyn SessionStore>) -> Self {
        let written = Written { read: stored::read_session, write: stored::write_session };
        Self { copies: Copies::new(cache.clone(), written), cache, store }
    }

    pub(super) fn place(realm: &Realm, id: &SessionId) -> String {
        format!("session:{realm}:{id}")
    }
}

#[async_trait]
impl SessionStore for CachedSessions {
    async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.store.insert(session).await
    }

    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.copies.find(Self::place(realm, id), Some(*id.as_bytes()), async || self.store.find(realm, id).await).await
    }

    async fn rotate(&self, session: Session, expected: u64) -> Result<RotateSession, PortError> {
        let place = Self::place(&session.realm, &session.id);
        self.cache.around(&[place], &[], self.store.rotate(session, expected)).await
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.store.list(realm, user).await
    }

    async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError> {
        self.cache.around(&[Self::place(realm, id)], &[*id.as_bytes()], self.store.end(realm, id)).await
    }

    /// One after the other, each by its name, until none is left: a session that was opened meanwhile must not be ended
    /// with its copy forgotten.
    async fn end_all(&self, realm: &Realm, user: &UserId, except: Option<SessionId>) -> Result<u64, PortError> {
        let mut ended = 0;
        loop {
            let all = self.store.list(realm, user).await?;
            let doomed: Vec<SessionId> =
                all.into_iter().map(|session| session.id).filter(|id| Some(*id) != except).collect();
            if doomed.is_empty() {
                return Ok(ended);
            }
            let places: Vec<String> = doomed.iter().map(|id| Self::place(realm, id)).collect();
            let ids: Vec<[u8; 16]> = doomed.iter().map(|id| *id.as_bytes()).collect();
            let change = async {
                let mut ended = 0;
                for id in &doomed {
                    ended += u64::from(self.store.end(realm, id).await?);
                }
                Ok(ended)
            };
            ended += self.cache.around(&places, &ids, change).await?;
        }
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let purged = self.store.purge_expired(now).await?;
        if purged > 0 {
            // which ones they were nobody says
            self.cache.distrust(Advance::Copies).await?;
        }
        Ok(purged)
    }
}
