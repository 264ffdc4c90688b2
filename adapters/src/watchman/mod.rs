//! Watchman, a monitoring service: the audit log's events go there too, off every request's path. Its interface takes
//! one event a call (`POST /logger/log`), so what waits is taken up in batches, and a batch goes out over a few kept
//! connections at once.

mod words;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::database::{Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use reqwest::{Client, redirect};
use serde_json::json;
use tokio::sync::mpsc;

/// Where the predecessor of this project found it.
const WATCHMAN: &str = "http://localhost:1027";
/// Events that may wait; past that they are dropped and counted.
const WAITING: usize = 1024;
/// Events taken up at once.
const AT_ONCE: usize = 50;
/// Calls at once.
const CONNECTIONS: usize = 8;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of one event, with waits between them that double.
const TRIES: u32 = 3;

/// The account.
pub struct WatchmanSettings {
    /// `account_id` of every event.
    pub account: String,
    /// The key of the interface.
    pub token: String,
    /// Another place than the usual.
    pub url: Option<String>,
    /// `service` of every event: what the application is called.
    pub service: String,
    /// The wait before a second try.
    pub first_wait: Duration,
}

impl fmt::Debug for WatchmanSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchmanSettings")
    }
}

/// Sends every audit event to Watchman too: those that are appended and those that are committed with a change.
pub struct WatchmanAuditLog {
    log: Arc<dyn AuditLog>,
    database: Arc<dyn Database>,
    events: mpsc::Sender<Event>,
    dropped: Arc<AtomicU64>,
}

impl WatchmanAuditLog {
    /// Everything `log` takes goes to Watchman too. The task ends with this.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn start(
        settings: WatchmanSettings,
        log: Arc<dyn AuditLog>,
        database: Arc<dyn Database>,
    ) -> Result<Self, String> {
        // a redirect would carry the key elsewhere
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        let client = client.map_err(|_| "WATCHMAN_URL: no TLS connection can be made".to_owned())?;
        let (events, waiting) = mpsc::channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(tell(Teller { client, settings, dropped: dropped.clone() }, waiting));
        Ok(Self { log, database, events, dropped })
    }

    fn send_later(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            count(&self.dropped);
        }
    }

    /// Counts the events that Watchman was not told since the start.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.dropped.clone()
    }
}

/// Whether anything answers where Watchman should be: any answer will do, for it has no page that changes nothing.
///
/// # Errors
/// When nothing does.
pub async fn look(url: Option<&str>) -> Result<(), String> {
    let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
    let asked = client.map_err(|_| "no TLS connection can be made".to_owned())?.get(url.unwrap_or(WATCHMAN));
    asked.send().await.map(|_| ()).map_err(|_| "nothing answers there".to_owned())
}

struct Teller {
    client: Client,
    settings: WatchmanSettings,
    dropped: Arc<AtomicU64>,
}

async fn tell(teller: Teller, mut waiting: mpsc::Receiver<Event>) {
    let mut events = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut events, AT_ONCE).await > 0 {
        let batch = stream::iter(events.drain(..));
        batch.for_each_concurrent(CONNECTIONS, async |event| teller.tell_of(&event).await).await;
    }
}

impl Teller {
    async fn tell_of(&self, event: &Event) {
        let mut wait = self.settings.first_wait;
        for left in (0..TRIES).rev() {
            if self.try_to_tell(event).await {
                return;
            }
            if left > 0 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
        count(&self.dropped);
    }

    async fn try_to_tell(&self, event: &Event) -> bool {
        let base = self.settings.url.as_deref().unwrap_or(WATCHMAN).trim_end_matches('/');
        let request = self.client.post(format!("{base}/logger/log")).header("WATCHMAN-API-KEY", &self.settings.token);
        let told = request.json(&json!({
            "account_id": self.settings.account,
            "service": self.settings.service,
            "integration": words::category(event.kind),
            "level": words::level(event.kind),
            "priority": words::priority(event.kind),
            "message": words::message(event),
        }));
        told.send().await.is_ok_and(|answer| answer.status().is_success())
    }
}

/// Counts one that was not told, and says so now and then.
fn count(dropped: &AtomicU64) {
    let dropped = dropped.fetch_add(1, Ordering::Relaxed) + 1;
    if dropped.is_power_of_two() {
        tracing::warn!(dropped, "Watchman was not told of some events; the audit log has them");
    }
}

#[async_trait]
impl AuditLog for WatchmanAuditLog {
    fn record(&self, event: Event) {
        self.log.record(event.clone());
        self.send_later(event);
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        self.log.of_user(realm, user, limit).await
    }
}

#[async_trait]
impl Database for WatchmanAuditLog {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let events = work.events.clone();
        let outcome = self.database.commit(work).await?;
        if outcome.is_ok() {
            for event in events {
                self.send_later(event);
            }
        }
        Ok(outcome)
    }
}
