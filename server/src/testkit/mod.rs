//! `portcullis testkit`: the whole server in memory, on a clock that a test moves, with everything a test wants to
//! control. In debug builds and behind a cargo feature, so that a production build has none of it.

pub mod magic;
pub mod shelf;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_adapters::outbox::shelf::Shelved;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::ports::error::PortError;
use portcullis_core::service::AuthService;
use portcullis_core::testing::faults::Script;
use portcullis_core::testing::snapshot::Snapshot;
use portcullis_core::testing::world::World;
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::errors::StoryError;

use crate::testkit::shelf::MemoryShelf;

/// The snapshot that is always there: the server as it began.
pub const EMPTY: &str = "empty";
/// Jobs in one go; more means that something queues itself again.
const MOST_JOBS: usize = 10_000;

/// What a test controls.
pub struct Testkit {
    world: World,
    shelf: Arc<MemoryShelf>,
    kept: Mutex<BTreeMap<String, (Snapshot, Vec<Shelved>)>>,
    number: AtomicU64,
    /// One at a time: when the work is done, its messages are there.
    working: tokio::sync::Mutex<()>,
}

impl Testkit {
    /// Of a world.
    #[must_use]
    pub fn new(world: World, shelf: Arc<MemoryShelf>) -> Self {
        let empty = (world.snapshot(), Vec::new());
        let kept = Mutex::new(BTreeMap::from([(EMPTY.to_owned(), empty)]));
        Self { world, shelf, kept, number: AtomicU64::new(0), working: tokio::sync::Mutex::new(()) }
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

    /// Does all work that is due.
    ///
    /// # Errors
    /// When the queue fails.
    pub async fn work(&self, service: &AuthService) -> Result<(), StoryError> {
        let _one = self.working.lock().await;
        for _ in 0..MOST_JOBS {
            if let Delivery::Idle = service.deliver_next().await? {
                break;
            }
        }
        Ok(())
    }

    /// Forgets the messages.
    pub fn empty_outbox(&self) {
        self.shelf.replace(Vec::new());
    }

    /// What breaks from now on, and nothing else.
    pub fn break_as(&self, scripts: Vec<Script>) {
        self.world.faults.clear();
        for script in scripts {
            self.world.faults.play(script);
        }
    }

    /// Every limit begins anew.
    pub fn forget_limits(&self) {
        self.world.forget_limits();
    }

    /// Puts everything aside; the name to take it back by.
    #[must_use]
    pub fn snapshot(&self) -> String {
        let name = format!("snapshot-{}", self.number.fetch_add(1, Ordering::Relaxed) + 1);
        let kept = (self.world.snapshot(), self.shelf.all());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), kept);
        name
    }

    /// Takes everything back; whether there is such a snapshot.
    pub fn restore(&self, name: &str) -> bool {
        let found = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some((snapshot, messages)) = found else { return false };
        self.world.restore(&snapshot);
        self.shelf.replace(messages);
        true
    }

    /// Seeds chance.
    pub fn seed(&self, seed: u64) {
        self.world.randomness.reseed(seed);
    }
}

/// How often the background looks for work: clients that know nothing of the control plane want their mail too.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Does what is due, until the process ends.
pub async fn keep_working(testkit: Arc<Testkit>, service: AuthService) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = testkit.work(&service).await {
            tracing::debug!("the queue is broken on purpose: {error}");
        }
    }
}

/// A port's error that a test asked for, in the words of a mail server or a telephone service.
pub(crate) fn broken(error: &PortError) -> portcullis_core::ports::mailer::SendError {
    portcullis_core::ports::mailer::SendError::Later(format!("{}: {}", error.port, error.source))
}
