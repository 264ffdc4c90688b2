//! The workers: tasks that deliver jobs, and one for housekeeping. They stop between jobs, not within one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_adapters::audit_chain::writer::ChainWriter;
use portcullis_core::model::job::{Job, Task};
use portcullis_core::ports::error::PortError;
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::operator::housekeeping::PurgeReport;
use portcullis_core::use_cases::shared::errors::AuthError;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;

use crate::http::app::App;
use crate::http::system::key_ages;
use crate::traces::job_span;

/// Several, so that one slow server does not delay every message.
const WORKERS: usize = 4;
/// Messages to webhooks that are sent at once. They leave the workers free for mails and SMS.
const WEBHOOKS_AT_ONCE: u32 = 32;
/// How often a worker polls: no wake-up announces that a retry is due.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often expired records are purged.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);
/// How often refusals that were counted, and not written one by one, are recorded.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(60);
/// How often the parameters of the accounts' hashes are counted, beginning with the start.
const COUNT_INTERVAL: Duration = Duration::from_hours(1);
/// How often the age of the keys is checked, and from which age on a warning is logged.
const DAY: Duration = Duration::from_hours(24);
const OLD: Duration = Duration::from_hours(24 * 90);
/// How often new events of the audit log are numbered, and how often a checkpoint is signed.
const NUMBERING_INTERVAL: Duration = Duration::from_secs(1);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(300);
/// How long a stop waits for jobs that have begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// Whether the last poll of the queue failed.
static QUEUE_AWAY: AtomicBool = AtomicBool::new(false);

/// Running workers.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    webhooks: Arc<Semaphore>,
}

/// Starts the workers.
#[must_use]
pub fn start(app: &Arc<App>) -> Workers {
    let (stop, stopping) = watch::channel(false);
    let (mut tasks, webhooks) = (JoinSet::new(), Arc::new(Semaphore::new(WEBHOOKS_AT_ONCE as usize)));
    for _ in 0..WORKERS {
        tasks.spawn(deliver(app.clone(), webhooks.clone(), stopping.clone()));
    }
    tasks.spawn(run_housekeeping_until(app.clone(), stopping));
    Workers { stop, tasks, webhooks }
}

impl Workers {
    /// Stops when the channel becomes true.
    pub async fn stop_when(self, mut stopping: watch::Receiver<bool>) {
        // an error means that the sender is gone
        let _ = stopping.wait_for(|stop| *stop).await;
        self.stop().await;
    }

    /// Lets running jobs finish, and stops.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = async {
            while self.tasks.join_next().await.is_some() {}
            // an error means that the semaphore is closed, which it never is
            let _ = self.webhooks.acquire_many(WEBHOOKS_AT_ONCE).await;
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            tracing::warn!("a job took too long; it is executed again after the next start");
        }
    }
}

async fn deliver(app: Arc<App>, webhooks: Arc<Semaphore>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        if !deliver_next(&app, &webhooks).await {
            tokio::select! {
                () = app.service.ports.jobs.wait(POLL_INTERVAL) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

/// Takes one job that is due and does it; a message to a webhook in a task of its own. Whether there may be another job.
async fn deliver_next(app: &Arc<App>, webhooks: &Arc<Semaphore>) -> bool {
    let job = match app.service.deliveries().claim_next().await {
        Ok(Some(job)) => job,
        Ok(None) => return report(app, Ok(Delivery::Idle)),
        Err(error) => return report(app, Err(error)),
    };
    if !matches!(job.task, Task::NotifyWebhook { .. }) {
        return report(app, perform(app, job).await);
    }
    let (app, permit) = (app.clone(), webhooks.clone().acquire_owned().await);
    tokio::spawn(async move {
        report(&app, perform(&app, job).await);
        drop(permit);
    });
    true
}

/// Does a job in a span of the trace that it belongs to.
async fn perform(app: &App, job: Job) -> Result<Delivery, AuthError> {
    let span = job_span(&job);
    app.service.deliveries().deliver(job).instrument(span).await
}

/// Logs and counts the outcome of a poll. Whether there may be another job.
fn report(app: &App, delivered: Result<Delivery, AuthError>) -> bool {
    if delivered.is_ok() && QUEUE_AWAY.swap(false, Ordering::Relaxed) {
        tracing::info!("the job queue answers again");
    }
    let outcome = match delivered {
        Ok(Delivery::Idle) => return false,
        Ok(Delivery::Done(_)) => "done",
        Ok(Delivery::Later(job, reason)) => {
            tracing::warn!(%job, "a message waits: {reason}");
            "later"
        }
        Ok(Delivery::Dead(job, reason)) => {
            tracing::error!(%job, "a message is a dead letter: {reason}");
            "dead"
        }
        Ok(Delivery::Held(job, refusal)) => {
            let reason = refusal.as_str();
            tracing::warn!(%job, reason, "an SMS was not sent: its quota is used up");
            app.measured(|| metrics::counter!("portcullis_texts_held_total", "reason" => reason).increment(1));
            "held"
        }
        Err(error) => {
            // logged once, not by every worker at every poll
            if !QUEUE_AWAY.swap(true, Ordering::Relaxed) {
                tracing::error!("the job queue failed; it is polled until it answers: {error}");
            }
            return false;
        }
    };
    app.measured(|| metrics::counter!("portcullis_jobs_total", "outcome" => outcome).increment(1));
    true
}

async fn run_housekeeping_until(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(PURGE_INTERVAL);
    let mut hours = tokio::time::interval(COUNT_INTERVAL);
    let mut days = tokio::time::interval(DAY);
    let mut minutes = tokio::time::interval(REFUSALS_INTERVAL);
    while !*stopping.borrow() {
        tokio::select! {
            _ = ticks.tick() => match app.service.operators().run_housekeeping().await {
                Ok(purged) => count_purged(&app, &purged),
                Err(error) => tracing::error!("housekeeping failed: {error}"),
            },
            _ = minutes.tick() => app.service.record_counted_refusals(),
            _ = hours.tick() => count_hash_parameters(&app).await,
            _ = days.tick() => warn_of_old_keys(&app),
            _ = stopping.changed() => {}
        }
    }
    app.service.record_counted_refusals();
}

/// For the decoys of logins; what fails is counted an hour later.
async fn count_hash_parameters(app: &App) {
    for realm in &app.realms {
        if let Err(error) = app.service.count_hash_parameters(realm).await {
            tracing::warn!(%realm, "the parameters of the hashes could not be counted: {error}");
        }
    }
}

fn count_purged(app: &App, purged: &PurgeReport) {
    let of = [
        ("registrations", purged.registrations),
        ("sessions", purged.sessions),
        ("one_time_tokens", purged.one_time_tokens),
        ("undo_records", purged.undo_records),
        ("credentials", purged.credentials),
    ];
    app.measured(|| {
        for (kind, number) in of {
            metrics::counter!("portcullis_purged_records_total", "kind" => kind).increment(number);
        }
    });
    tracing::debug!(?purged, "housekeeping is done");
}

fn warn_of_old_keys(app: &App) {
    for (setting, age) in key_ages(app).filter(|(_, age)| *age >= OLD) {
        let days = age.as_secs() / 86_400;
        tracing::warn!(
            "{setting}: this key has been in use for {days} days. Fix: rotate it; a new key every 90 days limits the damage of a leak"
        );
    }
}

/// The task that numbers the events of the audit log.
pub struct Numbering {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts the task.
#[must_use]
pub fn number_events(writer: ChainWriter) -> Numbering {
    let (stop, stopping) = watch::channel(false);
    Numbering { stop, task: tokio::spawn(number_until(writer, stopping)) }
}

impl Numbering {
    /// Numbers what is left, signs a checkpoint, and stops.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, self.task).await.is_err() {
            tracing::warn!("the last events of the audit log are not numbered yet; the next start does it");
        }
    }
}

async fn number_until(mut writer: ChainWriter, mut stopping: watch::Receiver<bool>) {
    let (mut ticks, mut checkpoints) =
        (tokio::time::interval(NUMBERING_INTERVAL), tokio::time::interval(CHECKPOINT_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    while !*stopping.borrow() {
        let done = tokio::select! {
            _ = ticks.tick() => writer.link_pending().await.map(|_| ()),
            _ = checkpoints.tick() => writer.checkpoint().await,
            _ = stopping.changed() => Ok(()),
        };
        report_numbering(&done, &mut away);
    }
    let last = async {
        writer.link_pending().await?;
        writer.checkpoint().await
    };
    report_numbering(&last.await, &mut away);
}

/// Logs a failure once, not at every attempt.
fn report_numbering(done: &Result<(), PortError>, away: &mut bool) {
    match done {
        Ok(()) if *away => tracing::info!("the events of the audit log are numbered again"),
        Err(error) if !*away => {
            tracing::error!("the events of the audit log are not numbered: {}", error.with_cause());
        }
        _ => {}
    }
    *away = done.is_err();
}
