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
use crate::redis::cache::known::{Known, Stamp};
use crate::redis::cache::{Advance, Cache, Look, Wanted};

/// Sessions with copies of them in Redis.
pub struct CachedSessions {
    cache: Arc<Cache>,
    store: Arc<dyn SessionStore>,
    known: Known<Session>,
}

impl CachedSessions {
    /// Copies of what `store` has.
    #[must_use]
    pub fn new(cache: Arc<Cache>, store: Arc<dyn SessionStore>) -> Self {
        Self { cache, store, known: Known::default() }
    }

    pub(super) fn place(realm: &Realm, id: &SessionId) -> String {
        format!("session:{realm}:{id}")
    }

    /// The copy that is known, and what Redis knows it by.
    pub(super) fn known(&self, place: &str) -> (Option<Stamp>, Option<Arc<Session>>) {
        self.cache.known(&self.known, place).unzip()
    }

    /// What a look found, or what the store says, which is kept where it may be.
    pub(super) async fn answer(
        &self,
        look: Look,
        known: Option<Arc<Session>>,
        place: &str,
        realm: &Realm,
        id: &SessionId,
    ) -> Result<Option<Session>, PortError> {
        let lease = match look {
            Look::Same if let Some(known) = known => return Ok(Some((*known).clone())),
            Look::Hit(stamp, copy) => match stored::read_session(&copy) {
                Some(session) => {
                    self.known.keep(place, stamp, Arc::new(session.clone()));
                    return Ok(Some(session));
                }
                // of another version of this program
                None => return self.store.find(realm, id).await,
            },
            Look::Miss(lease) => lease,
            Look::Same | Look::Closed => return self.store.find(realm, id).await,
        };
        let found = self.store.find(realm, id).await?;
        if let Some(copy) = found.as_ref().and_then(stored::write_session) {
            self.cache.fill(lease, place, &copy).await;
        }
        Ok(found)
    }
}

#[async_trait]
impl SessionStore for CachedSessions {
    async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.store.insert(session).await
    }

    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        let place = Self::place(realm, id);
        let (stamp, known) = self.known(&place);
        let look = self.cache.look(Wanted { place: &place, ended: Some(id.as_bytes()), known: stamp }).await;
        self.answer(look, known, &place, realm, id).await
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
