//! Looks for copies. Those who ask while a question is under way are asked for together by the next one, so that each
//! question begins after everyone it answers. What was seen lately, while nothing that has a copy was changed since, is not
//! even looked at: every change has a name, and one comparison with the last one's is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use tokio::sync::{mpsc, oneshot};

use crate::bloom::Bloom;
use crate::redis::PATIENCE;
use crate::redis::cache::known::{Change, Sighting, Stamp};
use crate::redis::cache::server::Server;
use crate::redis::cache::view::View;

/// Where the filter of ended sessions is; the day follows.
pub const REVOKED: &str = "revoked:";
/// How long a lease lasts, milliseconds: longer than an answer of the store takes.
pub const LEASE: u64 = 3_000;
/// Most who are asked for at once: Redis does nothing else meanwhile.
const TOGETHER: usize = 128;
/// How long a sighting counts: a copy ends in Redis by itself, and then it must end in memory.
pub const SEEN_LATELY: Duration = Duration::from_secs(1);

/// What is looked for.
pub struct Wanted {
    /// What is copied.
    pub place: String,
    /// What names a session in the filter of the ended ones.
    pub ended: Option<[u8; 16]>,
    /// The copy that need not be told again.
    pub known: Option<Stamp>,
}

/// What a look found.
pub enum Look {
    /// A copy that may answer, still sealed.
    Hit { view: Arc<View>, place: String, value: Vec<u8>, seen: Sighting },
    /// The copy that is known; where Redis looked, seen again.
    Same(Option<Sighting>),
    /// None; what the store says may be kept.
    Miss(Lease),
    /// Ask the store.
    Closed,
}

/// The right to fill a place, until anything is changed there.
pub struct Lease {
    pub view: Arc<View>,
    pub place: String,
    pub name: String,
}

/// Whoever looks for something.
struct Asked {
    wanted: Vec<Wanted>,
    answer: oneshot::Sender<Vec<Look>>,
}

/// The way to ask.
pub struct Looks {
    asked: mpsc::UnboundedSender<Asked>,
    pub hits: Arc<AtomicU64>,
    pub misses: Arc<AtomicU64>,
}

impl Looks {
    /// Asks a server, by a task that ends with this.
    pub fn start(server: Arc<Server>, revoked: Bloom) -> Self {
        // as many wait as there are requests, and none for long
        let (asked, waiting) = mpsc::unbounded_channel();
        tokio::spawn(Asking { server, revoked }.keep(waiting));
        Self { asked, hits: Arc::default(), misses: Arc::default() }
    }

    /// Looks for copies, all in one question. Whoever waits too long asks the store.
    pub async fn look<const N: usize>(&self, wanted: [Wanted; N]) -> [Look; N] {
        let (answer, found) = oneshot::channel();
        let asked = self.asked.send(Asked { wanted: wanted.into(), answer });
        let found = if asked.is_ok() { tokio::time::timeout(PATIENCE, found).await.ok() } else { None };
        let found = found.and_then(Result::ok).and_then(|found| <[Look; N]>::try_from(found).ok());
        found.unwrap_or_else(|| std::array::from_fn(|_| Look::Closed))
    }

    /// Counts what a copy answered, and what the store did.
    pub fn count(&self, hit: bool) {
        let count = if hit { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Who asks.
struct Asking {
    server: Arc<Server>,
    revoked: Bloom,
}

impl Asking {
    async fn keep(self, mut waiting: mpsc::UnboundedReceiver<Asked>) {
        let mut asked = Vec::with_capacity(TOGETHER);
        while waiting.recv_many(&mut asked, TOGETHER).await > 0 {
            asked.retain(|asked| !asked.answer.is_closed());
            self.ask(&mut asked).await;
            // who was not answered asks the store
            asked.clear();
        }
    }

    /// Asks, and answers.
    async fn ask(&self, asked: &mut Vec<Asked>) {
        let Some(view) = self.server.views.now() else { return };
        let at = Instant::now();
        let lease = format!("L{:032x}", u128::from_be_bytes(self.server.random()));
        let Some(Value::Array(found)) = self.question(&view, &lease, asked, at).await else { return };
        let mut found = found.into_iter();
        let Some(change) = change(found.next()) else { return };
        let seen = Sighting { change, at };
        let mut numbers = 1_u32..;
        for Asked { wanted, answer } in asked.drain(..) {
            let looks = wanted.into_iter().zip(&mut numbers).map(|(Wanted { place, .. }, number)| match found.next() {
                Some(Value::BulkString(value)) => Look::Hit { view: view.clone(), place, value, seen },
                Some(Value::Int(1)) => {
                    Look::Miss(Lease { view: view.clone(), place, name: format!("{lease}:{number}") })
                }
                Some(Value::Int(3)) => Look::Same(Some(seen)),
                Some(Value::Int(4)) => Look::Same(None),
                _ => Look::Closed,
            });
            // who has gone needs no answer
            drop(answer.send(looks.collect()));
        }
    }

    async fn question(&self, view: &View, lease: &str, asked: &[Asked], now: Instant) -> Option<Value> {
        let wanted = || asked.iter().flat_map(|asked| &asked.wanted);
        let mut keys = vec![self.server.last_change(view)];
        keys.extend(wanted().map(|wanted| self.server.key(&wanted.place)));
        self.server
            .ask_as(
                view,
                |scripts| &scripts.look,
                &keys,
                |question| {
                    question.arg(&self.server.random::<8>()).arg(&view.header).arg(self.server.key(REVOKED));
                    question.arg(LEASE).arg(lease);
                    for Wanted { ended, known, .. } in wanted() {
                        let known = known.as_ref().filter(|known| known.epoch == view.epoch.copies);
                        let lately = known.filter(|known| now < known.seen.at + SEEN_LATELY);
                        question.arg(lately.map_or(&[][..], |known| &known.seen.change));
                        question.arg(known.map_or(&[][..], |known| &known.nonce));
                        question.arg(ended.map_or_else(Vec::new, |random| bits(self.revoked, &random)));
                    }
                },
            )
            .await
    }
}

/// What a change is called by, as Redis says it.
fn change(told: Option<Value>) -> Option<Change> {
    match told {
        Some(Value::BulkString(name)) => name.try_into().ok(),
        _ => None,
    }
}

/// The bits of a session in the filter of the ended ones, four octets each.
pub fn bits(revoked: Bloom, session: &[u8]) -> Vec<u8> {
    // the filter has far less than 2^32
    revoked.positions(session).flat_map(|bit| u32::try_from(bit).unwrap_or(u32::MAX).to_be_bytes()).collect()
}
