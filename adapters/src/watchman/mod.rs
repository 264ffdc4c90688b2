//! Export of audit events to Watchman, a monitoring service, in the background. Its API takes one event per call
//! (`POST /logger/log`); queued events are sent in batches over a few connections at once.

mod event_names;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::network_failure::{Diagnosis, NetworkFailure};
use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::database::{Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use reqwest::{Client, redirect};
use serde_json::json;
use tokio::sync::mpsc;

/// Watchman's own default.
const DEFAULT_URL: &str = "http://localhost:1027";
/// The most queued events; more are dropped and counted.
const QUEUE_CAPACITY: usize = 1024;
/// Events of a batch.
const BATCH_SIZE: usize = 50;
/// Concurrent calls.
const CONNECTIONS: usize = 8;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts of one event, with waits that double.
const MAX_ATTEMPTS: u32 = 3;

/// The account.
pub struct WatchmanSettings {
    /// `account_id` of every event.
    pub account: String,
    /// The API key.
    pub token: SecretString,
    /// Another URL than the default.
    pub url: Option<String>,
    /// `service` of every event: the application's name.
    pub service: String,
    /// The wait before the second attempt.
    pub first_wait: Duration,
}

impl fmt::Debug for WatchmanSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchmanSettings")
    }
}

/// An audit log and a database whose events are sent to Watchman too.
pub struct WatchmanAuditLog {
    log: Arc<dyn AuditLog>,
    database: Arc<dyn Database>,
    events: mpsc::Sender<Event>,
    dropped: Arc<AtomicU64>,
}

impl WatchmanAuditLog {
    /// Starts the background task. It ends when this is dropped.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn start(
        settings: WatchmanSettings,
        log: Arc<dyn AuditLog>,
        database: Arc<dyn Database>,
    ) -> Result<Self, String> {
        // a redirect would carry the key elsewhere
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        let client = client.map_err(|_| "WATCHMAN_URL: no TLS connection can be made".to_owned())?;
        let (events, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(send_events(WatchmanClient { client, settings, dropped: dropped.clone() }, waiting));
        Ok(Self { log, database, events, dropped })
    }

    fn send_later(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            count(&self.dropped);
        }
    }

    /// How many events could not be sent since the start.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.dropped.clone()
    }
}

/// Checks that a server answers. Any answer counts: Watchman has no read-only endpoint.
///
/// # Errors
/// If none does.
pub async fn check_reachable(url: Option<&str>) -> Result<(), Diagnosis> {
    let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
    let failed = |error: reqwest::Error| {
        let failure = if error.is_timeout() { Some(NetworkFailure::NoAnswer) } else { NetworkFailure::of(&error) };
        Diagnosis::from(failure.unwrap_or(NetworkFailure::Closed))
    };
    client.map_err(failed)?.get(url.unwrap_or(DEFAULT_URL)).send().await.map_err(failed)?;
    Ok(())
}

struct WatchmanClient {
    client: Client,
    settings: WatchmanSettings,
    dropped: Arc<AtomicU64>,
}

async fn send_events(sender: WatchmanClient, mut waiting: mpsc::Receiver<Event>) {
    let mut events = Vec::with_capacity(BATCH_SIZE);
    while waiting.recv_many(&mut events, BATCH_SIZE).await > 0 {
        let batch = stream::iter(events.drain(..));
        batch.for_each_concurrent(CONNECTIONS, async |event| sender.send_event(&event).await).await;
    }
}

impl WatchmanClient {
    async fn send_event(&self, event: &Event) {
        let mut wait = self.settings.first_wait;
        for left in (0..MAX_ATTEMPTS).rev() {
            if self.try_to_send(event).await {
                return;
            }
            if left > 0 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
        }
        count(&self.dropped);
    }

    async fn try_to_send(&self, event: &Event) -> bool {
        let base = self.settings.url.as_deref().unwrap_or(DEFAULT_URL).trim_end_matches('/');
        let request =
            self.client.post(format!("{base}/logger/log")).header("WATCHMAN-API-KEY", self.settings.token.expose());
        let request = request.json(&json!({
            "account_id": self.settings.account,
            "service": self.settings.service,
            "integration": event_names::category(event.kind),
            "level": event_names::level(event.kind),
            "priority": event_names::priority(event.kind),
            "message": event_names::message(event),
        }));
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }
}

/// Counts an event that was not sent. Logs at powers of two.
fn count(dropped: &AtomicU64) {
    let dropped = dropped.fetch_add(1, Ordering::Relaxed) + 1;
    if dropped.is_power_of_two() {
        tracing::warn!(dropped, "some events were not sent to Watchman; the audit log has them");
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

    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError> {
        self.log.list(query, before, limit).await
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
