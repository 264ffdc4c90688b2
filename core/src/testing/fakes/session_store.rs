//! Sessions in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::session::Session;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;
use crate::ports::session_store::{RotateSession, SessionStore};
use crate::testing::faults::{FaultPlan, Faults};
use crate::testing::locked::Locked;

/// Keeps sessions as long as it lives.
#[derive(Debug)]
pub struct FakeSessionStore {
    pub(crate) sessions: Locked<BTreeMap<(Realm, SessionId), Session>>,
    faults: Faults,
}

impl FakeSessionStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { sessions: Locked::default(), faults: Faults::new("session_store", plan) }
    }

    /// What breaks.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, expired or not, by realm and id.
    #[must_use]
    pub fn all(&self) -> Vec<Session> {
        self.sessions.lock().values().cloned().collect()
    }
}

impl Default for FakeSessionStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

/// Keeps what is `kept` and counts the rest.
fn retain(sessions: &mut BTreeMap<(Realm, SessionId), Session>, kept: impl Fn(&Session) -> bool) -> u64 {
    let before = sessions.len();
    sessions.retain(|_, session| kept(session));
    (before - sessions.len()) as u64
}

#[async_trait]
impl SessionStore for FakeSessionStore {
    async fn insert(&self, session: Session) -> Result<(), PortError> {
        self.faults.call("insert", || {
            self.sessions.lock().insert((session.realm.clone(), session.id), session);
        })
    }

    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.faults.call("find", || self.sessions.lock().get(&(realm.clone(), *id)).cloned())
    }

    async fn rotate(&self, session: Session, expected: u64) -> Result<RotateSession, PortError> {
        self.faults.call("rotate", || match self.sessions.lock().get_mut(&(session.realm.clone(), session.id)) {
            None => RotateSession::Gone,
            Some(stored) if stored.version != expected => RotateSession::Stale,
            Some(stored) => {
                *stored = session;
                RotateSession::Rotated
            }
        })
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.faults.call("list", || {
            let sessions = self.sessions.lock();
            let of_user = sessions.values().filter(|session| session.realm == *realm && session.user == *user);
            let mut of_user: Vec<Session> = of_user.cloned().collect();
            of_user.sort_by_key(|session| session.created_at);
            of_user
        })
    }

    async fn end(&self, realm: &Realm, id: &SessionId) -> Result<bool, PortError> {
        self.faults.call("end", || self.sessions.lock().remove(&(realm.clone(), *id)).is_some())
    }

    async fn end_all(&self, realm: &Realm, user: &UserId, except: Option<SessionId>) -> Result<u64, PortError> {
        self.faults.call("end_all", || {
            let ends =
                |session: &Session| session.realm == *realm && session.user == *user && Some(session.id) != except;
            retain(&mut self.sessions.lock(), |session| !ends(session))
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || retain(&mut self.sessions.lock(), |session| !session.expired(now)))
    }
}
