//! [`UndoStore`] on MongoDB, and the changes of undo records inside a transaction. An address that an account gives up is
//! in the unique index of the accounts until the commit that reserves it, so no other transaction gets in between.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::{UndoId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord, UndoableChange};
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::undo_store::UndoStore;

use crate::mongodb::MongoDb;
use crate::mongodb::database::{Abort, Transaction};
use crate::mongodb::documents::{Fields, binary, date, digest, key, sealed, signed};

const PORT: &str = "undo_store";
const COLLECTION: &str = "undo_records";

pub fn print(undo: &UndoRecord) -> Document {
    let mut document = doc! {
        "_id": key(&undo.realm, undo.id),
        "realm": undo.realm.as_str(),
        "id": binary(undo.id.as_bytes()),
        "user": key(&undo.realm, undo.user),
        "user_id": binary(undo.user.as_bytes()),
        "change": undo.change.as_str(),
        "version": signed(undo.version),
        "former": sealed(&undo.former),
        "tries_left": i32::from(undo.tries_left),
        "used": undo.used,
        "created_at": undo.created_at.as_millis(),
        "expires_at": undo.expires_at.as_millis(),
        "purge_after": date(undo.expires_at),
    };
    if let Some(reserved) = &undo.reserved {
        document.insert("reserved", digest(reserved));
    }
    if let Some(token) = &undo.token {
        document.insert("token", digest(token));
    }
    document
}

pub fn parse(document: &Document) -> Result<UndoRecord, PortError> {
    let fields = Fields::of(PORT, document);
    Ok(UndoRecord {
        realm: fields.realm()?,
        id: fields.id("id").map(UndoId::from_bytes)?,
        user: fields.id("user_id").map(UserId::from_bytes)?,
        change: UndoableChange::parse(fields.text("change")?).ok_or_else(|| fields.unreadable("change"))?,
        version: fields.number("version")?,
        former: fields.sealed("former")?,
        reserved: fields.any("reserved", Fields::digest)?,
        token: fields.any("token", Fields::digest)?,
        tries_left: fields.number("tries_left")?,
        used: fields.flag("used")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
    })
}

/// The unexpired record of an id.
fn unexpired(realm: &Realm, id: &UndoId, now: Timestamp) -> Document {
    doc! {"_id": key(realm, id), "expires_at": {"$gt": now.as_millis()}}
}

/// The unexpired records that reserve an address.
fn reserving(realm: &Realm, email: &Digest, now: Timestamp) -> Document {
    doc! {"realm": realm.as_str(), "reserved": digest(email), "expires_at": {"$gt": now.as_millis()}}
}

impl Transaction<'_> {
    /// Applies the changes of undo records.
    pub(super) async fn apply_to_undos(&mut self, change: &Change) -> Result<(), Abort> {
        match change {
            Change::CheckReservation { realm, email, user, now } => {
                let mut which = reserving(realm, email, *now);
                which.insert("user", doc! {"$ne": key(realm, user)});
                let taken = self.find(COLLECTION, which).await?.is_some();
                if taken { Err(Refusal::EmailTaken.into()) } else { Ok(()) }
            }
            Change::InsertUndo(undo) => {
                self.mongo.collection(COLLECTION).insert_one(print(undo)).session(&mut *self.session).await?;
                Ok(())
            }
            Change::SetUndoToken { realm, id, token, now } => {
                let mut which = unexpired(realm, id, *now);
                which.insert("used", false);
                self.update_undo(which, doc! {"$set": {"token": digest(token)}}).await
            }
            Change::UseUndo { realm, id, token, now } => {
                let mut which = unexpired(realm, id, *now);
                which.extend(doc! {"used": false, "token": digest(token)});
                let found = self.find(COLLECTION, which.clone()).await?.ok_or(Refusal::UndoGone)?;
                let undo = parse(&found)?;
                // this write meets that of a racing use
                self.update_undo(which, doc! {"$set": {"used": true}}).await?;
                let younger = doc! {"user": key(realm, undo.user), "version": {"$gt": signed(undo.version)}};
                let undos = self.mongo.collection(COLLECTION);
                undos.update_many(younger, doc! {"$set": {"used": true}}).session(&mut *self.session).await?;
                Ok(())
            }
            Change::RemoveUndos { realm, user } => {
                self.delete_many(COLLECTION, doc! {"user": key(realm, user)}).await.map(|_| ())
            }
            _ => Ok(()), // applied by `apply`
        }
    }

    async fn update_undo(&mut self, which: Document, update: Document) -> Result<(), Abort> {
        let undos = self.mongo.collection(COLLECTION);
        let updated = undos.update_one(which, update).session(&mut *self.session).await?;
        if updated.matched_count == 1 { Ok(()) } else { Err(Refusal::UndoGone.into()) }
    }
}

#[async_trait]
impl UndoStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<Option<UndoRecord>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(unexpired(realm, id, now))).await?;
        found.as_ref().map(parse).transpose()
    }

    async fn find_by_token(
        &self,
        realm: &Realm,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        let unexpired = doc! {"$gt": now.as_millis()};
        let which = doc! {"realm": realm.as_str(), "token": digest(token), "used": false, "expires_at": unexpired};
        let found = self.run(PORT, self.collection(COLLECTION).find_one(which)).await?;
        found.as_ref().map(parse).transpose()
    }

    async fn find_reservation(
        &self,
        realm: &Realm,
        email: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        let undos = self.collection(COLLECTION);
        let youngest = undos.find_one(reserving(realm, email, now)).sort(doc! {"expires_at": -1, "version": -1});
        self.run(PORT, youngest).await?.as_ref().map(parse).transpose()
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<UndoRecord>, PortError> {
        let undos = self.collection(COLLECTION);
        let found = undos.find(doc! {"user": key(realm, user)}).sort(doc! {"version": 1, "_id": 1});
        let documents: Vec<Document> = self.run(PORT, async { found.await?.try_collect().await }).await?;
        documents.iter().map(parse).collect()
    }

    async fn take_try(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<bool, PortError> {
        let mut which = unexpired(realm, id, now);
        which.extend(doc! {"used": false, "tries_left": {"$gt": 0}});
        let undos = self.collection(COLLECTION);
        let taken = self.run(PORT, undos.update_one(which, doc! {"$inc": {"tries_left": -1}})).await?;
        Ok(taken.matched_count == 1)
    }

    async fn give_try_back(&self, realm: &Realm, id: &UndoId) -> Result<(), PortError> {
        let which = doc! {"_id": key(realm, id), "tries_left": {"$lt": i32::from(UNDO_TRIES)}};
        let undos = self.collection(COLLECTION);
        self.run(PORT, undos.update_one(which, doc! {"$inc": {"tries_left": 1}})).await?;
        Ok(())
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let expired = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection(COLLECTION).delete_many(expired)).await?.deleted_count)
    }
}
