//! Makes a job of each event for each webhook that subscribes to it. The events of a commit get their jobs in that commit. An
//! event that belongs to no commit gets them a moment later: nothing waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::{Webhook, WebhookEvent};
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::ports::webhook_store::WebhookStore;
use tokio::sync::mpsc;

/// How long a list of webhooks is used: a webhook that another process made gets events from then on.
const LIST_FOR: Duration = Duration::from_secs(2);
/// The most events that wait for their jobs; more are dropped and counted.
const QUEUE_CAPACITY: usize = 1024;
/// Events whose jobs are committed together.
const BATCH_SIZE: usize = 50;

/// The ports that it works with.
#[derive(Clone)]
pub struct FanOutPorts {
    /// Commits.
    pub database: Arc<dyn Database>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
}

/// An audit log and a database whose events go to webhooks too.
pub struct WebhookFanOut {
    jobs: Arc<EventJobs>,
    events: mpsc::Sender<Event>,
    dropped: Arc<AtomicU64>,
}

impl WebhookFanOut {
    /// Starts the background task. It ends when this is dropped.
    #[must_use]
    pub fn start(ports: FanOutPorts) -> Self {
        let (events, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        let jobs = Arc::new(EventJobs { ports, lists: Mutex::default() });
        tokio::spawn(queue_events(jobs.clone(), waiting, dropped.clone()));
        Self { jobs, events, dropped }
    }

    /// How many events got no job since the start.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.dropped.clone()
    }
}

async fn queue_events(jobs: Arc<EventJobs>, mut waiting: mpsc::Receiver<Event>, dropped: Arc<AtomicU64>) {
    let mut events = Vec::with_capacity(BATCH_SIZE);
    while waiting.recv_many(&mut events, BATCH_SIZE).await > 0 {
        if let Err(error) = jobs.queue(&events).await {
            let before = dropped.fetch_add(events.len() as u64, Ordering::Relaxed);
            if before == 0 {
                tracing::warn!("some events were not queued for webhooks; the audit log has them: {error}");
            }
        }
        events.clear();
    }
}

type Lists = HashMap<Realm, (Instant, Arc<Vec<Webhook>>)>;

/// The jobs of events.
struct EventJobs {
    ports: FanOutPorts,
    lists: Mutex<Lists>,
}

impl EventJobs {
    /// The webhooks of a realm, as they were at most [`LIST_FOR`] ago.
    async fn webhooks(&self, realm: &Realm) -> Result<Arc<Vec<Webhook>>, PortError> {
        let known = self.lists.lock().unwrap_or_else(PoisonError::into_inner).get(realm).cloned();
        if let Some((_, list)) = known.filter(|(read_at, _)| read_at.elapsed() < LIST_FOR) {
            return Ok(list);
        }
        let read_at = Instant::now();
        let list = Arc::new(self.ports.webhooks.list(realm).await?);
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(realm.clone(), (read_at, list.clone()));
        Ok(list)
    }

    fn forget_list(&self, realm: &Realm) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).remove(realm);
    }

    /// The jobs of some events.
    async fn of(&self, events: &[Event]) -> Result<Vec<Job>, PortError> {
        let mut jobs = Vec::new();
        for event in events {
            let Event { at, realm, kind, user, session, operator: _, detail: _ } = event;
            let webhooks = self.webhooks(realm).await?;
            for webhook in webhooks.iter().filter(|one| !one.disabled && one.kinds.contains(*kind)) {
                let event = WebhookEvent { kind: *kind, at: *at, user: *user, session: *session };
                let task = Task::NotifyWebhook { webhook: webhook.id, event };
                let id = JobId::random(|bytes| self.ports.randomness.fill(bytes));
                let created_at = self.ports.clock.now();
                jobs.push(Job { id, realm: realm.clone(), task, attempts: 0, created_at, trace: None });
            }
        }
        Ok(jobs)
    }

    async fn queue(&self, events: &[Event]) -> Result<(), PortError> {
        let jobs = self.of(events).await?;
        if jobs.is_empty() {
            return Ok(());
        }
        let work = UnitOfWork { jobs, ..UnitOfWork::default() };
        self.ports.database.commit(work).await?.map(|_| ()).map_err(|refusal| PortError::new("database", refusal))
    }
}

/// The realm whose webhooks a change concerns.
fn changed_realm(change: &Change) -> Option<Realm> {
    match change {
        Change::InsertWebhook(webhook) | Change::ReplaceWebhook { webhook, .. } => Some(webhook.realm.clone()),
        Change::RemoveWebhook { realm, .. } => Some(realm.clone()),
        _ => None,
    }
}

#[async_trait]
impl AuditLog for WebhookFanOut {
    fn record(&self, event: Event) {
        self.jobs.ports.audit.record(event.clone());
        if self.events.try_send(event).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        self.jobs.ports.audit.of_user(realm, user, limit).await
    }

    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError> {
        self.jobs.ports.audit.list(query, before, limit).await
    }
}

#[async_trait]
impl Database for WebhookFanOut {
    async fn commit(&self, mut work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let changed: Vec<Realm> = work.changes.iter().filter_map(changed_realm).collect();
        work.jobs.extend(self.jobs.of(&work.events).await?);
        let outcome = self.jobs.ports.database.commit(work).await;
        for realm in &changed {
            self.jobs.forget_list(realm);
        }
        outcome
    }
}
