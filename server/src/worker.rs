//! The workers: tasks that deliver jobs, and one that keeps house. They stop between jobs, never within one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_core::service::AuthService;
use portcullis_core::use_cases::deliver::Delivery;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Enough to keep mail going while one server is slow.
const WORKERS: usize = 4;
/// A worker looks by itself this often: retries come due without anyone waking it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the house is kept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How long a stop waits for jobs that have begun.
const PATIENCE: Duration = Duration::from_secs(25);

/// Whether the queue did not answer when last looked at.
static QUEUE_AWAY: AtomicBool = AtomicBool::new(false);

/// Running workers.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the workers.
#[must_use]
pub fn start(service: AuthService) -> Workers {
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..WORKERS {
        tasks.spawn(deliver(service.clone(), stopping.clone()));
    }
    tasks.spawn(keep_house(service, stopping));
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
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a job took too long; it will be taken up again at the next start");
        }
    }
}

async fn deliver(service: AuthService, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let delivered = service.deliver_next().await;
        if delivered.is_ok() && QUEUE_AWAY.swap(false, Ordering::Relaxed) {
            tracing::info!("the queue answers again");
        }
        let idle = match delivered {
            Ok(Delivery::Idle) => true,
            Ok(Delivery::Done(_)) => false,
            Ok(Delivery::Later(job, reason)) => {
                tracing::warn!(%job, "a message waits: {reason}");
                false
            }
            Ok(Delivery::Dead(job, reason)) => {
                tracing::error!(%job, "a message is a dead letter: {reason}");
                false
            }
            Err(error) => {
                // the database is away: said once, not by every worker at every look
                if !QUEUE_AWAY.swap(true, Ordering::Relaxed) {
                    tracing::error!("the queue failed, and is looked at again until it answers: {error}");
                }
                true
            }
        };
        if idle {
            tokio::select! {
                () = service.ports.jobs.wait(LOOK_EVERY) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

async fn keep_house(service: AuthService, mut stopping: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    while !*stopping.borrow() {
        tokio::select! {
            _ = ticks.tick() => match service.sweep().await {
                Ok(swept) => tracing::debug!(?swept, "house kept"),
                Err(error) => tracing::error!("housekeeping failed: {error}"),
            },
            _ = stopping.changed() => {}
        }
    }
}
