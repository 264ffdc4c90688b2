//! [`AuditLog`] on MongoDB: a task writes what is recorded, many events at once; nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;
use tokio::sync::{mpsc, oneshot};

use crate::mongodb::documents::{Fields, key};
use crate::mongodb::pool::Pool;
use crate::mongodb::{Failure, MongoDb, OPERATION_TIMEOUT, binary};

const PORT: &str = "audit_log";
/// Events that may wait: some minutes of a busy server's with the database away.
const WAITING: usize = 65_536;
/// Events written at once.
const AT_ONCE: usize = 500;
/// How long to wait before an attempt is made again.
const PAUSE: Duration = Duration::from_millis(500);

enum Message {
    Event(Box<Document>),
    /// Answers when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Where events wait to be written.
pub struct Recorder {
    events: mpsc::Sender<Message>,
}

impl Recorder {
    /// Starts the task. It ends, when all is written, with the recorder.
    pub fn start(pool: Arc<Pool>, lost: Arc<AtomicU64>) -> Self {
        let (events, waiting) = mpsc::channel(WAITING);
        tokio::spawn(write(pool, waiting, lost));
        Self { events }
    }
}

async fn write(pool: Arc<Pool>, mut waiting: mpsc::Receiver<Message>, lost: Arc<AtomicU64>) {
    let mut messages = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut messages, AT_ONCE).await > 0 {
        let (mut events, mut flushed) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Event(event) => events.push(*event),
                Message::Flush(answer) => flushed.push(answer),
            }
        }
        write_all(&pool, events, &waiting, &lost).await;
        for answer in flushed {
            // who asked may have gone
            let _ = answer.send(());
        }
    }
}

/// Until it is written. Ids make a second attempt harmless: what the first one wrote is there already.
async fn write_all(pool: &Pool, mut events: Vec<Document>, waiting: &mpsc::Receiver<Message>, lost: &AtomicU64) {
    while !events.is_empty() {
        let audit = pool.database().collection::<Document>("audit");
        match pool.run_with_deadline(PORT, audit.insert_many(&events).ordered(false)).await {
            Ok(_) => return,
            Err(Failure::Port(error)) if waiting.is_closed() => {
                let lost = lost.fetch_add(events.len() as u64, Ordering::Relaxed) + events.len() as u64;
                tracing::error!(lost, reason = %error.source, "events are not in the audit log");
                return;
            }
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                events = missing(pool, events).await;
            }
        }
    }
}

/// Those that are not there. All of them where that cannot be asked.
async fn missing(pool: &Pool, mut events: Vec<Document>) -> Vec<Document> {
    let audit = pool.database().collection::<Document>("audit");
    let ids: Vec<_> = events.iter().filter_map(|event| event.get("_id").cloned()).collect();
    let there = async {
        let found = audit.find(doc! {"_id": {"$in": ids}}).projection(doc! {"_id": 1}).await?;
        found.try_collect::<Vec<Document>>().await
    };
    if let Ok(there) = pool.run_with_deadline(PORT, Box::pin(there)).await {
        events.retain(|event| there.iter().all(|other| other.get("_id") != event.get("_id")));
    }
    events
}

/// An event's document.
pub fn print(event: &Event) -> Document {
    doc! {
        "_id": ObjectId::new(),
        "at": event.at.as_millis(),
        "realm": event.realm.as_str(),
        "kind": event.kind.as_str(),
        "user": event.user.map(|user| key(&event.realm, user)),
        "user_id": event.user.map(|user| binary(user.as_bytes())),
        "session_id": event.session.map(|session| binary(session.as_bytes())),
    }
}

/// `None` for an event that a later version wrote.
fn parse(document: &Document) -> Result<Option<Event>, PortError> {
    let fields = Fields::of(PORT, document);
    let event = |kind| {
        Ok(Event {
            at: fields.time("at")?,
            realm: fields.realm()?,
            kind,
            user: fields.any("user_id", Fields::id)?.map(UserId::from_bytes),
            session: fields.any("session_id", Fields::id)?.map(SessionId::from_bytes),
        })
    };
    EventKind::parse(fields.text("kind")?).map(event).transpose()
}

#[async_trait]
impl AuditLog for MongoDb {
    fn record(&self, event: Event) {
        let document = print(&event);
        if self.recorder.events.try_send(Message::Event(Box::new(document))).is_err() {
            let lost = self.lost_events.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(event = event.kind.as_str(), lost, "an event is not in the audit log");
            }
        }
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        // everything that was recorded before
        let (answer, flushed) = oneshot::channel();
        let _ = self.recorder.events.try_send(Message::Flush(answer));
        if tokio::time::timeout(OPERATION_TIMEOUT, flushed).await.is_err() {
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
        found.iter().filter_map(|document| parse(document).transpose()).collect()
    }
}
