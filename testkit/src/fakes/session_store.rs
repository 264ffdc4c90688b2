//! Sessions in a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::fakes::user_store::FakeUserStore;
use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::SessionStore;

/// Sessions by realm and id.
pub(crate) type Sessions = BTreeMap<(Realm, SessionId), Session>;

/// Keeps sessions as long as it lives.
#[derive(Debug)]
pub struct FakeSessionStore {
    pub(crate) sessions: Locked<Sessions>,
    users: Arc<FakeUserStore>,
    faults: Faults,
}

impl FakeSessionStore {
    /// An empty store beside that of the accounts; it breaks as the plan says.
    #[must_use]
    pub fn new(users: Arc<FakeUserStore>, plan: &FaultPlan) -> Self {
        Self { users, sessions: Locked::default(), faults: Faults::new("session_store", plan) }
    }

    /// The faults to inject.
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
        Self::new(Arc::default(), &FaultPlan::default())
    }
}

/// Keeps what is `kept` and counts the rest.
pub(super) fn retain(sessions: &mut Sessions, kept: impl Fn(&Session) -> bool) -> u64 {
    let before = sessions.len();
    sessions.retain(|_, session| kept(session));
    (before - sessions.len()) as u64
}

pub(super) fn replace(sessions: &mut Sessions, session: Session, expected: u64) -> Result<(), Refusal> {
    match sessions.get_mut(&(session.realm.clone(), session.id)) {
        None => Err(Refusal::SessionGone),
        Some(stored) if stored.version != expected => Err(Refusal::SessionStale),
        Some(stored) => {
            *stored = session;
            Ok(())
        }
    }
}

#[async_trait]
impl SessionStore for FakeSessionStore {
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.faults.call("find", || self.sessions.lock().get(&(realm.clone(), *id)).cloned())
    }

    async fn find_with_account(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        self.faults.call("find_with_account", || {
            let session = self.sessions.lock().get(&(realm.clone(), *session)).cloned();
            session.zip(self.users.users.lock().get(&(realm.clone(), *user)).cloned())
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

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || retain(&mut self.sessions.lock(), |session| !session.expired(now)))
    }
}
