//! The workers: tasks that deliver jobs, and one that keeps house. They stop between jobs, never within one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::operator::housekeeping::PurgeReport;
use portcullis_core::use_cases::shared::errors::AuthError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::app::App;
use crate::http::system::key_ages;

/// Enough to keep mail going while one server is slow.
const WORKERS: usize = 4;
/// A worker looks by itself this often: retries come due without anyone waking it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the house is kept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How often keys are looked at, and how old they may grow before somebody is told.
const DAY: Duration = Duration::from_hours(24);
const OLD: Duration = Duration::from_hours(24 * 90);
/// How long a stop waits for jobs that have begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// Whether the queue did not answer when last looked at.
static QUEUE_AWAY: AtomicBool = AtomicBool::new(false);

/// Running workers.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the workers.
#[must_use]
pub fn start(app: &Arc<App>) -> Workers {
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..WORKERS {
        tasks.spawn(deliver(app.clone(), stopping.clone()));
    }
    tasks.spawn(keep_house(app.clone(), stopping));
    Workers { stop, tasks }
}

impl Workers {
    /// Stops as soon as it is told to.
    pub async fn stop_when(self, mut told: watch::Receiver<bool>) {
        // an error means that whoever could tell is gone
        let _ = told.wait_for(|stop| *stop).await;
        self.stop().await;
    }

    /// Lets what has begun finish, and stops.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            tracing::warn!("a job took too long; it will be taken up again at the next start");
        }
    }
}

async fn deliver(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let delivered = app.service.deliveries().deliver_next().await;
        if !told(&app, delivered) {
            tokio::select! {
                () = app.service.ports.jobs.wait(LOOK_EVERY) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

/// Says and counts what became of a look at the queue. Whether there may be more to do right now.
fn told(app: &App, delivered: Result<Delivery, AuthError>) -> bool {
    if delivered.is_ok() && QUEUE_AWAY.swap(false, Ordering::Relaxed) {
        tracing::info!("the queue answers again");
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
            tracing::warn!(%job, reason, "a text was not sent, for what it would cost");
            app.measured(|| metrics::counter!("portcullis_texts_held_total", "reason" => reason).increment(1));
            "held"
        }
        Err(error) => {
            // the database is away: said once, not by every worker at every look
            if !QUEUE_AWAY.swap(true, Ordering::Relaxed) {
                tracing::error!("the queue failed, and is looked at again until it answers: {error}");
            }
            return false;
        }
    };
    app.measured(|| metrics::counter!("portcullis_jobs_total", "outcome" => outcome).increment(1));
    true
}

async fn keep_house(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    let mut days = tokio::time::interval(DAY);
    while !*stopping.borrow() {
        tokio::select! {
            _ = ticks.tick() => match app.service.operators().run_housekeeping().await {
                Ok(swept) => count_swept(&app, &swept),
                Err(error) => tracing::error!("housekeeping failed: {error}"),
            },
            _ = days.tick() => warn_of_old_keys(&app),
            _ = stopping.changed() => {}
        }
    }
}

fn count_swept(app: &App, swept: &PurgeReport) {
    let of = [
        ("registrations", swept.registrations),
        ("sessions", swept.sessions),
        ("one_time_tokens", swept.one_time_tokens),
    ];
    app.measured(|| {
        for (kind, number) in of {
            metrics::counter!("portcullis_swept_total", "kind" => kind).increment(number);
        }
    });
    tracing::debug!(?swept, "house kept");
}

fn warn_of_old_keys(app: &App) {
    for (setting, age) in key_ages(app).filter(|(_, age)| *age >= OLD) {
        let days = age.as_secs() / 86_400;
        tracing::warn!(
            "{setting}: this key has been in use for {days} days; a fresh one every 90 days limits what one is worth"
        );
    }
}
