//! [`CallerStore`] on MongoDB: both are asked for at once.

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;
use portcullis_core::ports::caller_store::CallerStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;

use crate::mongo::Mongo;

#[async_trait]
impl CallerStore for Mongo {
    async fn find_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let (session, user) =
            tokio::try_join!(SessionStore::find(self, realm, session), UserStore::find(self, realm, user))?;
        Ok(session.zip(user))
    }
}
