//! The background task that writes audit events, many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use tokio::sync::{mpsc, oneshot};

use crate::mongodb::failure::Failure;
use crate::mongodb::pool::Pool;

const PORT: &str = "audit_log";
/// Events that may wait: several minutes of a busy server's while the database is away.
const QUEUE_CAPACITY: usize = 65_536;
/// Events written at once.
const BATCH_SIZE: usize = 500;
/// The wait before an attempt is repeated.
const RETRY_AFTER: Duration = Duration::from_millis(500);

enum Message {
    Event(Box<Document>),
    /// Answers when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// The queue of events that are not written yet.
pub struct EventRecorder {
    events: mpsc::Sender<Message>,
}

impl EventRecorder {
    /// Starts the task. It ends after the recorder is dropped and every event is written.
    pub fn start(pool: Arc<Pool>, lost: Arc<AtomicU64>) -> Self {
        let (events, waiting) = mpsc::channel(QUEUE_CAPACITY);
        tokio::spawn(write(pool, waiting, lost));
        Self { events }
    }

    /// Queues an event. `false` if the queue is full.
    pub fn record(&self, event: Document) -> bool {
        self.events.try_send(Message::Event(Box::new(event))).is_ok()
    }

    /// Returns once every event that was queued before is written.
    pub async fn flush(&self) {
        let (answer, flushed) = oneshot::channel();
        let _ = self.events.try_send(Message::Flush(answer));
        let _ = flushed.await;
    }
}

async fn write(pool: Arc<Pool>, mut waiting: mpsc::Receiver<Message>, lost: Arc<AtomicU64>) {
    let mut messages = Vec::with_capacity(BATCH_SIZE);
    while waiting.recv_many(&mut messages, BATCH_SIZE).await > 0 {
        let (mut events, mut flushed) = (Vec::new(), Vec::new());
        for message in messages.drain(..) {
            match message {
                Message::Event(event) => events.push(*event),
                Message::Flush(answer) => flushed.push(answer),
            }
        }
        write_all(&pool, events, &waiting, &lost).await;
        for answer in flushed {
            // the caller may be gone
            let _ = answer.send(());
        }
    }
}

/// Writes the events, however often it takes. The ids make a second attempt harmless.
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
                tokio::time::sleep(RETRY_AFTER).await;
                events = not_stored(pool, events).await;
            }
        }
    }
}

/// The events that are not stored yet; all of them if the database does not answer.
async fn not_stored(pool: &Pool, mut events: Vec<Document>) -> Vec<Document> {
    let audit = pool.database().collection::<Document>("audit");
    let ids: Vec<_> = events.iter().filter_map(|event| event.get("_id").cloned()).collect();
    let stored = async {
        let found = audit.find(doc! {"_id": {"$in": ids}}).projection(doc! {"_id": 1}).await?;
        found.try_collect::<Vec<Document>>().await
    };
    if let Ok(stored) = pool.run_with_deadline(PORT, Box::pin(stored)).await {
        events.retain(|event| stored.iter().all(|other| other.get("_id") != event.get("_id")));
    }
    events
}
