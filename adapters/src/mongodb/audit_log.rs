//! [`AuditLog`] on MongoDB. Recorded events are written by a background task.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::stored_record::StoredEvent;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;

use crate::authenticated_records::new_event;
use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, key, signed_document};
use crate::mongodb::pool::OPERATION_TIMEOUT;

const PORT: &str = "audit_log";
/// How long a list may take: no user waits for it, and a rare kind of event is searched for in all of them.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// An event's document.
pub fn print(macs: &RecordMacs, event: &Event) -> Document {
    print_stored(macs, &StoredEvent { order: ObjectId::new().bytes(), ..new_event(event) })
}

/// The document of an event that has its place in the log.
pub fn print_stored(macs: &RecordMacs, event: &StoredEvent) -> Document {
    let mut document = doc! {
        "_id": ObjectId::from_bytes(event.order),
        "at": event.at.as_millis(),
        "realm": event.realm.as_str(),
        "kind": &event.kind,
        "user": event.user.map(|user| key(&event.realm, user)),
        "user_id": event.user.map(|user| binary(user.as_bytes())),
        "session_id": event.session.map(|session| binary(session.as_bytes())),
    };
    if let Some(id) = &event.id {
        document.insert("event_id", binary(id));
    }
    for (name, text) in [("operator", &event.operator), ("reason", &event.reason), ("detail", &event.detail)] {
        if let Some(text) = text {
            document.insert(name, text);
        }
    }
    signed_document(macs, event, document)
}

pub fn parse(document: &Document) -> Result<Stored<StoredEvent>, PortError> {
    let fields = Fields::of(PORT, document);
    let order = document.get_object_id("_id").map_err(|_| fields.unreadable("_id"))?;
    let event = StoredEvent {
        order: order.bytes(),
        id: fields.any("event_id", Fields::id)?,
        at: fields.time("at")?,
        realm: fields.realm()?,
        kind: fields.text("kind")?.to_owned(),
        user: fields.any("user_id", Fields::id)?.map(UserId::from_bytes),
        session: fields.any("session_id", Fields::id)?.map(SessionId::from_bytes),
        operator: fields.any("operator", Fields::text)?.map(str::to_owned),
        reason: fields.any("reason", Fields::text)?.map(str::to_owned),
        detail: fields.any("detail", Fields::text)?.map(str::to_owned),
    };
    fields.with_mac(event)
}

/// The documents of a query.
fn condition(query: &AuditQuery, before: Option<AuditPosition>) -> Document {
    let mut which = doc! {"realm": query.realm.as_str()};
    if let Some(user) = query.user {
        which.insert("user", key(&query.realm, user));
    }
    if !query.kinds.is_empty() {
        let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
        which.insert("kind", doc! {"$in": kinds});
    }
    let mut at = Document::new();
    at.extend(query.since.map(|since| ("$gte".to_owned(), since.as_millis().into())));
    at.extend(query.until.map(|until| ("$lt".to_owned(), until.as_millis().into())));
    if !at.is_empty() {
        which.insert("at", at);
    }
    if let Some(before) = before {
        which.insert("_id", doc! {"$lt": ObjectId::from_bytes(*before.as_bytes())});
    }
    which
}

impl MongoDb {
    /// The newest documents of a query before a position, whether or not they verify.
    async fn page(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<Document>, PortError> {
        let audit = self.collection("audit");
        let found = async {
            let found = audit.find(condition(query, before)).sort(doc! {"_id": -1}).limit(i64::from(limit)).await?;
            found.try_collect::<Vec<Document>>().await
        };
        Ok(self.pool.run_within(LIST_TIMEOUT, PORT, Box::pin(found)).await?)
    }

    /// Returns once everything that was recorded before is written.
    pub(super) async fn flush_events(&self) -> Result<(), PortError> {
        let flushed = tokio::time::timeout(OPERATION_TIMEOUT, self.recorder.flush()).await;
        flushed.map_err(|_| PortError::new(PORT, "MongoDB did not answer in time"))
    }
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
        self.flush_events().await?;
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

    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError> {
        self.flush_events().await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut listed, mut before) = (Vec::new(), before);
        while listed.len() < wanted {
            let page = self.page(query, before, limit).await?;
            let Some(last) = page.last() else { break };
            before = Some(AuditPosition::from_bytes(
                last.get_object_id("_id").map_err(|error| PortError::new(PORT, error))?.bytes(),
            ));
            let verified = self.verify_all(page.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
            let of_page = verified.into_iter().filter_map(|stored| {
                let position = AuditPosition::from_bytes(stored.order);
                stored.event().map(|event| LoggedEvent { position, event })
            });
            listed.extend(of_page.filter(|listed| query.matches(&listed.event)));
        }
        listed.truncate(wanted);
        Ok(listed)
    }
}
