//! What an access token stands for, in one question. Nearly every request asks it, so a store answers session and
//! account together, where it can.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::session::Session;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;

/// A session and an account at once. Sees every change that was answered before it is asked, of both; whether they
/// belong together, and whether they are still good, is the caller's to decide.
#[async_trait]
pub trait CallerStore: Send + Sync {
    /// The session and the account of these ids, if there are both.
    async fn find_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError>;
}

/// The two asked one after the other, of stores that know no better way.
#[derive(Clone)]
pub struct OneAfterTheOther {
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Accounts.
    pub users: Arc<dyn UserStore>,
}

#[async_trait]
impl CallerStore for OneAfterTheOther {
    async fn find_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let Some(session) = self.sessions.find(realm, session).await? else { return Ok(None) };
        Ok(self.users.find(realm, user).await?.map(|user| (session, user)))
    }
}
