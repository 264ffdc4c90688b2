//! Jobs in a map.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};

#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    job: Job,
    due: Timestamp,
    /// Among jobs of one instant the first come is the older.
    number: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<JobId, Waiting>,
    dead: Vec<DeadLetter>,
    next: u64,
}

impl Queue {
    pub(super) fn put(&mut self, job: Job, due: Timestamp) {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(job.id, Waiting { job, due, number });
    }

    pub(super) fn forget(&mut self, realm: &Realm, subject: &JobSubject) {
        let stays = |job: &Job| job.realm != *realm || !subject.covers(&job.task.about());
        self.waiting.retain(|_, waiting| stays(&waiting.job));
        self.dead.retain(|letter| stays(&letter.job));
    }

    /// Queues a dead letter again.
    pub(super) fn requeue(&mut self, realm: &Realm, id: &JobId, now: Timestamp) -> Result<(), Refusal> {
        let is_it = |letter: &DeadLetter| letter.job.realm == *realm && letter.job.id == *id;
        let place = self.dead.iter().position(is_it).ok_or(Refusal::JobGone)?;
        let job = Job { attempts: 0, ..self.dead.remove(place).job };
        self.put(job, now);
        Ok(())
    }

    /// The jobs about a subject, newest first.
    fn about(&self, realm: &Realm, subject: &JobSubject) -> Vec<QueuedJob> {
        let waiting = self.waiting.values().map(|one| (one.job.clone(), one.due, None));
        let dead =
            self.dead.iter().map(|one| (one.job.clone(), one.job.created_at, Some((one.at, one.reason.clone()))));
        let all = waiting.chain(dead).filter(|(job, ..)| job.realm == *realm && subject.covers(&job.task.about()));
        let mut all: Vec<QueuedJob> = all.map(|(job, due_at, dead)| QueuedJob { job, due_at, dead }).collect();
        all.sort_by_key(|queued| std::cmp::Reverse((queued.job.created_at, queued.job.id)));
        all
    }

    fn oldest_due(&mut self, now: Timestamp) -> Option<&mut Waiting> {
        let due = self.waiting.values_mut().filter(|waiting| waiting.due <= now);
        due.min_by_key(|waiting| (waiting.job.created_at, waiting.number))
    }
}

/// Keeps jobs in memory. `wait` returns at once.
#[derive(Debug)]
pub struct FakeJobQueue {
    pub(crate) queue: Locked<Queue>,
    faults: Faults,
}

impl FakeJobQueue {
    /// An empty queue that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { queue: Locked::default(), faults: Faults::new("job_queue", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The jobs that wait or are being worked on, oldest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<Job> {
        let queue = self.queue.lock();
        let mut waiting: Vec<&Waiting> = queue.waiting.values().collect();
        waiting.sort_by_key(|waiting| (waiting.job.created_at, waiting.number));
        waiting.into_iter().map(|waiting| waiting.job.clone()).collect()
    }

    /// The job that would be claimed now: a look, and no call of the port.
    #[must_use]
    pub fn next_due(&self, now: Timestamp) -> Option<Job> {
        self.queue.lock().oldest_due(now).map(|waiting| waiting.job.clone())
    }
}

impl Default for FakeJobQueue {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl JobQueue for FakeJobQueue {
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Job>, PortError> {
        self.faults.call("claim", || {
            let mut queue = self.queue.lock();
            let oldest = queue.oldest_due(now)?;
            oldest.due = now + lease;
            oldest.job.attempts += 1;
            Some(oldest.job.clone())
        })
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        self.faults.call("complete", || {
            self.queue.lock().waiting.remove(id);
        })
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        self.faults.call("retry_at", || {
            if let Some(waiting) = self.queue.lock().waiting.get_mut(id) {
                waiting.due = at;
            }
        })
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        self.faults.call("dead_letter", || {
            let mut queue = self.queue.lock();
            if let Some(Waiting { job, .. }) = queue.waiting.remove(id) {
                queue.dead.push(DeadLetter { job, reason: reason.to_owned(), at: now });
            }
        })
    }

    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        self.faults.call("list_dead_letters", || {
            let mut dead: Vec<DeadLetter> = self.queue.lock().dead.iter().rev().cloned().collect();
            dead.retain(|letter| realm.as_ref().is_none_or(|realm| *realm == letter.job.realm));
            dead.sort_by_key(|letter| std::cmp::Reverse(letter.at));
            dead.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            dead
        })
    }

    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError> {
        self.faults
            .call("find_dead_letter", || self.queue.lock().dead.iter().find(|letter| letter.job.id == *id).cloned())
    }

    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError> {
        self.faults.call("list_about", || {
            let mut all = self.queue.lock().about(realm, subject);
            all.retain(|queued| before.is_none_or(|before| (queued.job.created_at, queued.job.id) < before));
            all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            all
        })
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        self.faults.call("depth", || {
            let queue = self.queue.lock();
            QueueDepth { waiting: queue.waiting.len() as u64, dead: queue.dead.len() as u64 }
        })
    }

    async fn wait(&self, _at_most: Duration) {}
}
