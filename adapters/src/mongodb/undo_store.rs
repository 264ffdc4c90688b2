//! [`UndoStore`] on MongoDB, and the changes of undo records inside a transaction. An address that an account gives up is
//! in the unique index of the accounts until the commit that reserves it, so no other transaction gets in between.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::{UndoId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord, UndoableChange};
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::undo_store::UndoStore;

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::database::{Abort, Transaction};
use crate::mongodb::documents::{Fields, binary, date, digest, has_digest, key, ring_digest, sealed, signed};

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
        document.insert("reserved", ring_digest(reserved));
    }
    if let Some(token) = &undo.token {
        document.insert("token", digest(token));
    }
    document
}

pub fn parse(document: &Document) -> Result<Stored<UndoRecord>, PortError> {
    let fields = Fields::of(PORT, document);
    let undo = UndoRecord {
        realm: fields.realm()?,
        id: fields.id("id").map(UndoId::from_bytes)?,
        user: fields.id("user_id").map(UserId::from_bytes)?,
        change: UndoableChange::parse(fields.text("change")?).ok_or_else(|| fields.unreadable("change"))?,
        version: fields.number("version")?,
        former: fields.sealed("former")?,
        reserved: fields.any("reserved", Fields::ring_digest)?,
        token: fields.any("token", Fields::digest)?,
        tries_left: fields.number("tries_left")?,
        used: fields.flag("used")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
    };
    fields.with_mac(undo)
}

/// The unexpired record of an id.
fn unexpired(realm: &Realm, id: &UndoId, now: Timestamp) -> Document {
    doc! {"_id": key(realm, id), "expires_at": {"$gt": now.as_millis()}}
}

/// The unexpired records that reserve an address.
fn reserving(realm: &Realm, email: &RingDigest, now: Timestamp) -> Document {
    doc! {"realm": realm.as_str(), "reserved": has_digest(email), "expires_at": {"$gt": now.as_millis()}}
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
            Change::LimitUndos { realm, user, limit, now } => {
                let unexpired = doc! {"$gt": now.as_millis()};
                let which = doc! {"user": key(realm, user), "used": false, "expires_at": unexpired};
                let stored =
                    self.mongo.collection(COLLECTION).count_documents(which).session(&mut *self.session).await?;
                // a racing change of the account meets this one at the account's document
                if stored >= u64::from(*limit) { Err(Refusal::UndoLimit.into()) } else { Ok(()) }
            }
            Change::InsertUndo(undo) => self.put_undo(undo).await,
            Change::ReindexUndo { realm, id, reserved } => {
                let which = doc! {"_id": key(realm, id), "reserved": {"$exists": true}};
                let Some(found) = self.find(COLLECTION, which).await? else { return Ok(()) };
                let undo = self.mongo.verify(PORT, parse(&found)?)?;
                self.put_undo(&UndoRecord { reserved: Some(*reserved), ..undo }).await
            }
            Change::SetUndoToken { realm, id, token, now } => {
                let mut which = unexpired(realm, id, *now);
                which.insert("used", false);
                let undo = self.verified_undo(which).await?;
                self.put_undo(&UndoRecord { token: Some(*token), ..undo }).await
            }
            Change::UseUndo { realm, id, token, now } => {
                let mut which = unexpired(realm, id, *now);
                which.extend(doc! {"used": false, "token": digest(token)});
                let undo = self.verified_undo(which).await?;
                // the write of this record meets that of a racing use
                let younger = doc! {"user": key(realm, undo.user), "version": {"$gte": signed(undo.version)}};
                let mut found = self.mongo.collection(COLLECTION).find(younger).session(&mut *self.session).await?;
                let mut ended = Vec::new();
                while let Some(document) = found.next(&mut *self.session).await.transpose()? {
                    ended.push(self.mongo.verify(PORT, parse(&document)?)?);
                }
                for undo in ended {
                    self.put_undo(&UndoRecord { used: true, ..undo }).await?;
                }
                Ok(())
            }
            Change::RemoveUndos { realm, user } => {
                self.delete_many(COLLECTION, doc! {"user": key(realm, user)}).await.map(|_| ())
            }
            _ => Ok(()), // applied by `apply`
        }
    }

    async fn verified_undo(&mut self, which: Document) -> Result<UndoRecord, Abort> {
        let found = self.find(COLLECTION, which).await?.ok_or(Refusal::UndoGone)?;
        Ok(self.mongo.verify(PORT, parse(&found)?)?)
    }

    async fn put_undo(&mut self, undo: &UndoRecord) -> Result<(), Abort> {
        let document = self.mongo.sign(undo, print(undo));
        let undos = self.mongo.collection(COLLECTION);
        let put = undos.replace_one(doc! {"_id": key(&undo.realm, undo.id)}, document).upsert(true);
        put.session(&mut *self.session).await?;
        Ok(())
    }
}

impl MongoDb {
    async fn find_undo(
        &self,
        which: Document,
        is_asked_for: impl FnOnce(&UndoRecord) -> bool,
    ) -> Result<Option<UndoRecord>, PortError> {
        let undos = self.collection(COLLECTION);
        let youngest = undos.find_one(which).sort(doc! {"expires_at": -1, "version": -1});
        let found = self.run(PORT, youngest).await?.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, is_asked_for)
    }

    /// Changes the tries of a record by compare-and-swap of its MAC; a lost race reads again. Whether it was changed.
    async fn change_tries(
        &self,
        realm: &Realm,
        id: &UndoId,
        now: Timestamp,
        change: impl Fn(&UndoRecord) -> Option<u8> + Send + Sync,
    ) -> Result<bool, PortError> {
        loop {
            let Some(undo) = UndoStore::find(self, realm, id, now).await? else { return Ok(false) };
            let Some(tries_left) = change(&undo) else { return Ok(false) };
            let as_read = doc! {"_id": key(realm, id), "mac": binary(&self.macs.sign(&undo))};
            let changed = UndoRecord { tries_left, ..undo };
            let set = doc! {"tries_left": i32::from(tries_left), "mac": binary(&self.macs.sign(&changed))};
            let swap = self.collection(COLLECTION);
            if self.run(PORT, swap.update_one(as_read, doc! {"$set": set})).await?.matched_count == 1 {
                return Ok(true);
            }
        }
    }
}

#[async_trait]
impl UndoStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<Option<UndoRecord>, PortError> {
        self.find_undo(unexpired(realm, id, now), |undo| undo.realm == *realm && undo.id == *id).await
    }

    async fn find_by_token(
        &self,
        realm: &Realm,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        let unexpired = doc! {"$gt": now.as_millis()};
        let which = doc! {"realm": realm.as_str(), "token": digest(token), "used": false, "expires_at": unexpired};
        self.find_undo(which, |undo| undo.realm == *realm && undo.token == Some(*token)).await
    }

    async fn find_reservation(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        let reserves = |undo: &UndoRecord| undo.reserved.is_some_and(|reserved| reserved.same_input(email));
        let is_it = |undo: &UndoRecord| undo.realm == *realm && reserves(undo);
        self.find_undo(reserving(realm, email, now), is_it).await
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<UndoRecord>, PortError> {
        let undos = self.collection(COLLECTION);
        let found = undos.find(doc! {"user": key(realm, user)}).sort(doc! {"version": 1, "_id": 1});
        let documents: Vec<Document> = self.run(PORT, async { found.await?.try_collect().await }).await?;
        let mut undos = self.verify_all(documents.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        undos.retain(|undo| undo.realm == *realm && undo.user == *user);
        Ok(undos)
    }

    async fn take_try(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<bool, PortError> {
        let take = |undo: &UndoRecord| if undo.used { None } else { undo.tries_left.checked_sub(1) };
        self.change_tries(realm, id, now, take).await
    }

    async fn give_try_back(&self, realm: &Realm, id: &UndoId) -> Result<(), PortError> {
        let give = |undo: &UndoRecord| (undo.tries_left < UNDO_TRIES).then_some(undo.tries_left + 1);
        // also where it has expired meanwhile: no time is before the epoch
        self.change_tries(realm, id, Timestamp::from_millis(0), give).await.map(|_| ())
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let expired = doc! {"expires_at": {"$lte": now.as_millis()}};
        Ok(self.run(PORT, self.collection(COLLECTION).delete_many(expired)).await?.deleted_count)
    }
}
