//! One connection: what it is doing, since when, and when it must end.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::Notify;

use super::network::{Network, prefix};
use super::request_memory::{ConnectionMemory, SharedMemory};

/// How long a request's head may take to arrive, and a client may not read an answer.
const STALLED: Duration = Duration::from_secs(10);
/// How often deadlines are checked at least.
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Between two requests.
    Idle,
    /// A request's head is arriving.
    Head,
    /// A request is executed.
    Executing,
}

#[derive(Debug)]
struct Activity {
    phase: Phase,
    since: Instant,
    blocked_since: Option<Instant>,
    /// Requests that are executed.
    executing: usize,
    /// Those of them whose body is still arriving.
    receiving: usize,
    /// Whether several requests may be executed at once (HTTP/2). Then bytes are no sign of a head: they may be of
    /// another stream, or of none.
    multiplexed: bool,
}

/// A connection that has a place.
#[derive(Debug)]
pub struct Connection {
    /// Its address (IPv6: /64).
    pub(super) address: IpNet,
    pub(super) network: Network,
    activity: Mutex<Activity>,
    pub(super) evicted: Notify,
    /// The memory of its requests.
    pub memory: Arc<ConnectionMemory>,
}

impl Connection {
    /// A connection whose first head is awaited.
    pub(super) fn new(ip: IpAddr, is_proxy: bool, shared: Arc<SharedMemory>) -> Self {
        let network = Network::of(ip, is_proxy);
        let memory = ConnectionMemory::new(network, shared);
        let activity = Activity {
            phase: Phase::Head,
            since: Instant::now(),
            blocked_since: None,
            executing: 0,
            receiving: 0,
            multiplexed: false,
        };
        Self { address: prefix(ip, 32, 64), network, activity: Mutex::new(activity), evicted: Notify::new(), memory }
    }

    /// Whether the connection receives a body, and since when it is in its phase, if it may give way to another: it executes
    /// no request whose body is there.
    pub(super) fn gives_way(&self) -> Option<(bool, Instant)> {
        let activity = self.activity();
        (activity.executing <= activity.receiving).then_some((activity.executing > 0, activity.since))
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS handshake is over: the time for the first head begins. In HTTP/2 several requests may be executed at once.
    pub fn handshake_completed(&self, multiplexed: bool) {
        let mut activity = self.activity();
        (activity.phase, activity.since, activity.multiplexed) = (Phase::Head, Instant::now(), multiplexed);
    }

    pub(super) fn execute(&self) {
        let mut activity = self.activity();
        activity.executing += 1;
        (activity.phase, activity.since) = (Phase::Executing, Instant::now());
    }

    fn answered(&self) {
        let mut activity = self.activity();
        activity.executing = activity.executing.saturating_sub(1);
        if activity.executing == 0 {
            (activity.phase, activity.since) = (Phase::Idle, Instant::now());
        }
    }

    pub(super) fn received(&self) {
        let mut activity = self.activity();
        if activity.phase == Phase::Idle && !activity.multiplexed {
            (activity.phase, activity.since) = (Phase::Head, Instant::now());
        }
    }

    pub(super) fn wrote(&self, blocked: bool) {
        let mut activity = self.activity();
        if !blocked {
            activity.blocked_since = None;
        } else if activity.blocked_since.is_none() {
            activity.blocked_since = Some(Instant::now());
        }
    }

    /// The time until a deadline passes; zero when one has.
    fn time_left(&self, keep_alive: Duration) -> Duration {
        let activity = self.activity();
        let of_phase = match activity.phase {
            Phase::Idle => keep_alive.saturating_sub(activity.since.elapsed()),
            Phase::Head => STALLED.saturating_sub(activity.since.elapsed()),
            Phase::Executing => Duration::MAX,
        };
        let of_writing = activity.blocked_since.map_or(Duration::MAX, |since| STALLED.saturating_sub(since.elapsed()));
        of_phase.min(of_writing)
    }

    /// Ends when the connection is to be closed: at a deadline, or because another one needs its place.
    pub async fn closed_by_us(&self, keep_alive: Duration) {
        let deadline = async {
            loop {
                let left = self.time_left(keep_alive);
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(TICK)).await;
            }
        };
        tokio::select! {
            () = deadline => {}
            () = self.evicted.notified() => {}
        }
    }
}

/// A request that is executed. It ends when the answer is known, whose bytes are still to be written, or when the client has
/// gone away.
pub struct Execution(Arc<Connection>);

impl Execution {
    /// A request has arrived.
    #[must_use]
    pub fn begin(connection: &Arc<Connection>) -> Self {
        connection.execute();
        Self(connection.clone())
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// A body that is arriving, until this is dropped.
#[derive(Debug)]
pub struct Receiving(Arc<Connection>);

impl Receiving {
    /// A body begins.
    #[must_use]
    pub fn begin(connection: &Arc<Connection>) -> Self {
        connection.activity().receiving += 1;
        Self(connection.clone())
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.receiving = activity.receiving.saturating_sub(1);
    }
}
