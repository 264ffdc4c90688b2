//! [`AuditLog`] on MongoDB. Recorded events are written by a background task.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::stored_record::StoredEvent;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;

use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, key, signed_document};
use crate::mongodb::pool::OPERATION_TIMEOUT;

const PORT: &str = "audit_log";

/// An event's document.
pub fn print(macs: &RecordMacs, event: &Event) -> Document {
    print_stored(macs, &StoredEvent { order: ObjectId::new().bytes(), ..StoredEvent::of(event) })
}

/// The document of an event that has its place in the log.
pub fn print_stored(macs: &RecordMacs, event: &StoredEvent) -> Document {
    let document = doc! {
        "_id": ObjectId::from_bytes(event.order),
        "at": event.at.as_millis(),
        "realm": event.realm.as_str(),
        "kind": &event.kind,
        "user": event.user.map(|user| key(&event.realm, user)),
        "user_id": event.user.map(|user| binary(user.as_bytes())),
        "session_id": event.session.map(|session| binary(session.as_bytes())),
    };
    signed_document(macs, event, document)
}

pub fn parse(document: &Document) -> Result<Stored<StoredEvent>, PortError> {
    let fields = Fields::of(PORT, document);
    let order = document.get_object_id("_id").map_err(|_| fields.unreadable("_id"))?;
    let event = StoredEvent {
        order: order.bytes(),
        at: fields.time("at")?,
        realm: fields.realm()?,
        kind: fields.text("kind")?.to_owned(),
        user: fields.any("user_id", Fields::id)?.map(UserId::from_bytes),
        session: fields.any("session_id", Fields::id)?.map(SessionId::from_bytes),
    };
    fields.with_mac(event)
}

#[async_trait]
impl AuditLog for MongoDb {
    fn record(&self, event: Event) {
        let document = print(&self.macs, &event);
        if !self.recorder.record(document) {
            let lost = self.lost_events.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(event = event.kind.as_str(), lost, "an event is not in the audit log");
            }
        }
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        // everything that was recorded before
        if tokio::time::timeout(OPERATION_TIMEOUT, self.recorder.flush()).await.is_err() {
            return Err(PortError::new(PORT, "MongoDB did not answer in time"));
        }
        if limit == 0 {
            return Ok(Vec::new());
        }
        let audit = self.collection("audit");
        let all = async {
            let newest = doc! {"at": -1, "_id": -1};
            let found = audit.find(doc! {"user": key(realm, user)}).sort(newest).limit(i64::from(limit)).await?;
            found.try_collect::<Vec<Document>>().await
        };
        let found = self.run(PORT, Box::pin(all)).await?;
        let verified = self.verify_all(found.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        let of_user = verified.into_iter().filter(|event| event.realm == *realm && event.user == Some(*user));
        Ok(of_user.filter_map(StoredEvent::event).collect())
    }
}
