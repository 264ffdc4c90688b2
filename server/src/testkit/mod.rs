//! `portcullis testkit`: the whole server in memory, on a clock that a test moves, with everything a test wants to
//! control. In debug builds and behind a cargo feature, so that a production build has none of it.

pub mod authenticator;
pub mod magic;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::Job;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::service::{AuthService, Ports};
use portcullis_testkit::fakes::randomness::SeededRandomness;
use portcullis_testkit::faults::Script;
use portcullis_testkit::snapshot::Snapshot;
use portcullis_testkit::world::TestWorld;

use crate::testkit::magic::Tries;

/// The snapshot that is always there: the server as it began.
pub const EMPTY: &str = "empty";
/// Jobs in one go; more means that something queues itself again.
const MOST_JOBS: usize = 10_000;

/// The control plane of a test.
pub struct Testkit {
    world: TestWorld,
    tries: Tries,
    kept: Mutex<BTreeMap<String, Kept>>,
    number: AtomicU64,
    /// The use cases with the worker's randomness.
    worker: AuthService,
    /// The worker's randomness. It is reseeded for each job, so that a job's values do not depend on when it runs.
    chance: Arc<SeededRandomness>,
    /// One at a time: when the work is done its messages are there, and nothing is put aside or taken back in the
    /// middle of a job.
    working: tokio::sync::Mutex<()>,
}

/// A saved state.
#[derive(Debug, Clone)]
struct Kept {
    world: Snapshot,
    tries: BTreeMap<JobId, u32>,
}

impl Testkit {
    /// Of a world, and of the service over it.
    #[must_use]
    pub fn new(world: TestWorld, tries: Tries, service: &AuthService) -> Self {
        let chance = Arc::new(SeededRandomness::new(0));
        let ports = Ports { randomness: chance.clone(), ..service.ports.clone() };
        let testkit = Self {
            worker: AuthService::new(ports, service.policy.clone()),
            world,
            tries,
            kept: Mutex::default(),
            number: AtomicU64::new(0),
            chance,
            working: tokio::sync::Mutex::new(()),
        };
        testkit.keep(EMPTY.to_owned());
        testkit
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Does all work that is due. Looking for it is no call of a port: what a test breaks is hit by what there is to do.
    /// A queue that breaks leaves the rest for the next time.
    pub async fn work(&self) {
        let _one = self.working.lock().await;
        self.work_alone().await;
    }

    async fn work_alone(&self) {
        for _ in 0..MOST_JOBS {
            let Some(job) = self.world.jobs.next_due(self.now()) else { return };
            self.chance.reseed(seed_of(&job));
            if let Err(error) = self.worker.deliveries().deliver_next().await {
                tracing::debug!("the queue is broken on purpose: {error}");
                return;
            }
        }
    }

    /// Forgets the messages, those too that are due.
    pub async fn empty_outbox(&self) {
        let _one = self.working.lock().await;
        self.work_alone().await;
        self.world.sent_messages.clear();
    }

    /// Replaces all faults by these.
    pub fn break_as(&self, scripts: Vec<Script>) {
        self.world.faults.clear();
        for script in scripts {
            self.world.faults.play(script);
        }
    }

    /// Resets every rate limit.
    pub fn forget_limits(&self) {
        self.world.forget_limits();
    }

    /// Puts everything aside; the name to take it back by.
    pub async fn snapshot(&self) -> String {
        let _one = self.working.lock().await;
        let name = format!("snapshot-{}", self.number.fetch_add(1, Ordering::Relaxed) + 1);
        self.keep(name.clone());
        name
    }

    fn keep(&self, name: String) {
        let kept = Kept { world: self.world.snapshot(), tries: self.tries.all() };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name, kept);
    }

    /// Takes everything back; whether there is such a snapshot.
    pub async fn restore(&self, name: &str) -> bool {
        let _one = self.working.lock().await;
        let found = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some(kept) = found else { return false };
        self.world.restore(&kept.world);
        self.tries.replace(kept.tries);
        true
    }

    /// Seeds chance.
    pub fn seed(&self, seed: u64) {
        self.world.randomness.reseed(seed);
    }
}

/// Where the chance of a job begins: its id is as good as drawn, and another try is another draw.
fn seed_of(job: &Job) -> u64 {
    let drawn = job.id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    drawn ^ u64::from(job.attempts).rotate_right(16)
}

/// How often the background looks for work: clients that know nothing of the control plane want their mail too.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Does all work that is due, until the process ends.
pub async fn keep_working(testkit: Arc<Testkit>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        testkit.work().await;
    }
}
