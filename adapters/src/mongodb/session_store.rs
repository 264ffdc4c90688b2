//! [`SessionStore`] on MongoDB.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::{AuthMethods, Rotated, Session};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, date, digest, key, sealed, signed};

const PORT: &str = "session_store";

pub fn print(session: &Session) -> Document {
    let dies_at = session.idle_expires_at.min(session.expires_at);
    let mut document = doc! {
        "_id": key(&session.realm, session.id),
        "realm": session.realm.as_str(),
        "id": binary(session.id.as_bytes()),
        "user": key(&session.realm, session.user),
        "user_id": binary(session.user.as_bytes()),
        "credentials_version": signed(session.credentials_version),
        "user_agent": sealed(&session.user_agent),
        "address": sealed(&session.address),
        "authenticated_at": session.authenticated_at.as_millis(),
        "created_at": session.created_at.as_millis(),
        "last_used_at": session.last_used_at.as_millis(),
        "idle_expires_at": session.idle_expires_at.as_millis(),
        "expires_at": session.expires_at.as_millis(),
        "dies_at": dies_at.as_millis(),
        "purge_after": date(dies_at),
        "current": digest(&session.current),
        "version": signed(session.version),
        "methods": i32::from(session.methods.bits()),
        "failures": i32::from(session.failures),
    };
    if let Some(previous) = &session.previous {
        document.insert("previous", digest(&previous.token));
        document.insert("rotated_at", previous.at.as_millis());
        document.insert("successor", binary(&previous.successor));
    }
    document
}

pub fn parse(document: &Document) -> Result<Stored<Session>, PortError> {
    let fields = Fields::of(PORT, document);
    let rotated = |fields: &Fields<'_>, name: &str| {
        let token = fields.digest(name)?;
        Ok(Rotated { token, at: fields.time("rotated_at")?, successor: fields.id("successor")? })
    };
    if ["rotated_at", "successor"].iter().any(|name| fields.has(name) != fields.has("previous")) {
        return Err(fields.unreadable("previous"));
    }
    let session = Session {
        realm: fields.realm()?,
        id: fields.id("id").map(SessionId::from_bytes)?,
        user: fields.id("user_id").map(UserId::from_bytes)?,
        credentials_version: fields.number("credentials_version")?,
        user_agent: fields.sealed("user_agent")?,
        address: fields.sealed("address")?,
        authenticated_at: fields.time("authenticated_at")?,
        created_at: fields.time("created_at")?,
        last_used_at: fields.time("last_used_at")?,
        idle_expires_at: fields.time("idle_expires_at")?,
        expires_at: fields.time("expires_at")?,
        current: fields.digest("current")?,
        previous: fields.any("previous", rotated)?,
        version: fields.number("version")?,
        methods: AuthMethods::from_bits(fields.any("methods", Fields::number)?.unwrap_or(AuthMethods::PASSWORD.bits()))
            .ok_or_else(|| fields.unreadable("methods"))?,
        failures: fields.any("failures", Fields::number)?.unwrap_or_default(),
    };
    fields.with_mac(session)
}

#[async_trait]
impl SessionStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        let found = self.run(PORT, self.collection("sessions").find_one(doc! {"_id": key(realm, id)})).await?;
        let found = found.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, |session| session.realm == *realm && session.id == *id)
    }

    async fn find_with_account(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let (session, user) =
            tokio::try_join!(SessionStore::find(self, realm, session), UserStore::find(self, realm, user))?;
        Ok(session.zip(user))
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        let sessions = self.collection("sessions");
        let all = async {
            let oldest_first = doc! {"created_at": 1, "_id": 1};
            let found = sessions.find(doc! {"user": key(realm, user)}).sort(oldest_first).await?;
            found.try_collect::<Vec<Document>>().await
        };
        let found = self.run(PORT, Box::pin(all)).await?;
        let mut sessions = self.verify_all(found.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        sessions.retain(|session| session.realm == *realm && session.user == *user);
        Ok(sessions)
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let dead = doc! {"dies_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection("sessions").delete_many(dead)).await?.deleted_count)
    }
}
