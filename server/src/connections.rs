//! Deadlines and places of TCP connections, which hyper does not have (docs/adr/0010): a wrapper around the accepted
//! socket notes what happens on it, and a registry decides which connection gives way when places run out.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// How long a request's head may take to arrive, and a client may not read an answer.
const STALLED: Duration = Duration::from_secs(10);
/// Connections that answer probes when every other place executes a request.
const PROBE_PLACES: usize = 64;
/// The places of one network.
const PROBE_PLACES_PER_NETWORK: usize = 4;
/// How often deadlines are checked at least.
const TICK: Duration = Duration::from_secs(1);

/// The operator's limits.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// How long a connection may be idle between two requests.
    pub keep_alive: Duration,
    /// Connections at once.
    pub total: usize,
    /// Connections of one address (IPv6: /64) at once.
    pub per_address: usize,
    /// Proxies: without a limit of their own.
    pub trusted_proxies: Vec<IpNet>,
}

impl ConnectionLimits {
    /// Whether an address is that of a listed proxy.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address.to_canonical()))
    }
}

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
    /// Whether several requests may be executed at once (HTTP/2). Then bytes are no sign of a head: they may be of
    /// another stream, or of none.
    multiplexed: bool,
}

/// A connection that has a place.
#[derive(Debug)]
pub struct Connection {
    address: Vec<u8>,
    network: Vec<u8>,
    is_proxy: bool,
    opened: Instant,
    activity: Mutex<Activity>,
    evicted: Notify,
}

impl Connection {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS handshake is over: the time for the first head begins. In HTTP/2 several requests may be executed at once.
    pub fn handshake_completed(&self, multiplexed: bool) {
        let mut activity = self.activity();
        (activity.phase, activity.since, activity.multiplexed) = (Phase::Head, Instant::now(), multiplexed);
    }

    fn execute(&self) {
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

    fn received(&self) {
        let mut activity = self.activity();
        if activity.phase == Phase::Idle && !activity.multiplexed {
            (activity.phase, activity.since) = (Phase::Head, Instant::now());
        }
    }

    fn wrote(&self, blocked: bool) {
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

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    /// The operator's limits.
    pub limits: ConnectionLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
    by_address: HashMap<Vec<u8>, usize>,
    /// Places for probes, by network.
    probes: HashMap<Vec<u8>, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// The connection that has it.
    pub connection: Arc<Connection>,
    /// Whether it may answer probes only.
    pub for_probes: bool,
    number: u64,
    connections: Arc<Connections>,
}

impl Place {
    /// How long the connection may be idle.
    #[must_use]
    pub fn keep_alive(&self) -> Duration {
        self.connections.limits.keep_alive
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        if self.for_probes {
            open.remove_probe(&self.connection.network);
        } else {
            open.remove(self.number);
        }
    }
}

impl Open {
    fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.all.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }

    fn add_probe(&mut self, network: &[u8]) -> bool {
        let all: usize = self.probes.values().sum();
        let own = self.probes.get(network).copied().unwrap_or_default();
        let has_place = all < PROBE_PLACES && own < PROBE_PLACES_PER_NETWORK;
        if has_place {
            self.probes.insert(network.to_vec(), own + 1);
        }
        has_place
    }

    fn remove_probe(&mut self, network: &[u8]) {
        if let Some(count) = self.probes.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                self.probes.remove(network);
            }
        }
    }

    /// The number of the connection that is to give way, among those that execute no request.
    fn victim<K: Ord>(
        &self,
        of: impl Fn(&Connection) -> bool,
        earliest: impl Fn(&Connection, &Activity) -> K,
    ) -> Option<u64> {
        let waiting = self.all.iter().filter(|(_, connection)| of(connection)).filter_map(|(number, connection)| {
            let activity = connection.activity();
            (activity.phase != Phase::Executing).then(|| (earliest(connection, &activity), *number))
        });
        waiting.min().map(|(_, number)| number)
    }

    /// The network that holds most connections; a proxy's only when no other network holds any.
    fn busiest_network(&self) -> Option<Vec<u8>> {
        let mut counts: HashMap<&[u8], (bool, usize)> = HashMap::new();
        for connection in self.all.values() {
            let (direct, count) = counts.entry(&connection.network).or_default();
            *direct |= !connection.is_proxy;
            *count += 1;
        }
        counts.into_iter().max_by_key(|(_, order)| *order).map(|(network, _)| network.to_vec())
    }
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. Beyond the limit of its address, that address's longest-idle connection gives way;
    /// when all places are taken, the longest-lived connection of the network that holds most. When every connection that
    /// could give way executes a request, a place for probes; `None` when those are taken too.
    #[must_use]
    pub fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let ip = peer.ip().to_canonical();
        let connection = Arc::new(Connection {
            address: prefix(ip, 32, 64),
            network: prefix(ip, 24, 48),
            is_proxy: self.limits.is_proxy(ip),
            opened: Instant::now(),
            activity: Mutex::new(Activity {
                phase: Phase::Head,
                since: Instant::now(),
                blocked_since: None,
                executing: 0,
                multiplexed: false,
            }),
            evicted: Notify::new(),
        });
        let mut open = self.lock();
        let of_address = open.by_address.get(&connection.address).copied().unwrap_or_default();
        let over_address = !connection.is_proxy && of_address >= self.limits.per_address;
        let victim = if over_address {
            open.victim(|other| other.address == connection.address, |_, activity| activity.since)
        } else if open.all.len() >= self.limits.total {
            let busiest = open.busiest_network();
            busiest.and_then(|busiest| open.victim(|other| other.network == busiest, |other, _| other.opened))
        } else {
            None
        };
        let for_probes = victim.is_none() && (over_address || open.all.len() >= self.limits.total);
        if for_probes {
            let has_place = open.add_probe(&connection.network);
            drop(open);
            let place = || Place { connection, for_probes, number: 0, connections: self.clone() };
            return has_place.then(place);
        }
        if let Some(evicted) = victim.and_then(|victim| open.remove(victim)) {
            evicted.evicted.notify_one();
        }
        open.next += 1;
        let number = open.next;
        *open.by_address.entry(connection.address.clone()).or_default() += 1;
        open.all.insert(number, connection.clone());
        drop(open);
        Some(Place { connection, for_probes, number, connections: self.clone() })
    }
}

/// The first bits of an address.
fn prefix(ip: IpAddr, v4: u8, v6: u8) -> Vec<u8> {
    let (bytes, bits) = match ip {
        IpAddr::V4(ip) => (ip.octets().to_vec(), v4),
        IpAddr::V6(ip) => (ip.octets().to_vec(), v6),
    };
    bytes.into_iter().take(usize::from(bits / 8)).collect()
}

/// The accepted socket, which tells its connection what happens on it.
pub struct WatchedStream<S> {
    stream: S,
    connection: Arc<Connection>,
}

impl<S> WatchedStream<S> {
    /// Watches a socket.
    pub const fn new(stream: S, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.connection.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.connection.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(total: usize, per_address: usize) -> Arc<Connections> {
        Connections::new(ConnectionLimits {
            keep_alive: Duration::from_secs(75),
            total,
            per_address,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        })
    }

    fn peer(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 4711)
    }

    /// Whether a connection was asked to close.
    async fn is_evicted(place: &Place) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.connection.evicted.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn an_address_beyond_its_limit_loses_its_longest_idle_connection() {
        let connections = connections(100, 2);
        let (first, second) =
            (connections.admit(peer("192.0.2.1")).unwrap(), connections.admit(peer("192.0.2.1")).unwrap());
        let other = connections.admit(peer("192.0.2.2")).unwrap();
        first.connection.received();
        first.connection.execute();
        let third = connections.admit(peer("192.0.2.1")).unwrap();
        assert!(is_evicted(&second).await, "the one that executes a request stays");
        assert!(!is_evicted(&first).await && !is_evicted(&other).await && !is_evicted(&third).await);
        third.connection.execute();
        let probe = connections.admit(peer("192.0.2.1")).unwrap();
        assert!(probe.for_probes, "both execute a request");
        assert!(connections.admit(peer("192.0.2.3")).is_some());
        drop((third, probe));
        assert!(!connections.admit(peer("192.0.2.1")).unwrap().for_probes);
    }

    #[tokio::test]
    async fn where_every_place_executes_a_request_probes_have_places_of_their_own() {
        let connections = connections(1, 100);
        let busy = connections.admit(peer("192.0.2.1")).unwrap();
        busy.connection.execute();
        let of_network = |n| format!("198.51.{n}.1");
        let probes: Vec<Place> = (0..70).filter_map(|n| connections.admit(peer(&of_network(n)))).collect();
        assert!(probes.len() == PROBE_PLACES && probes.iter().all(|place| place.for_probes));
        drop(probes);
        let probes: Vec<Place> = (0..10).filter_map(|_| connections.admit(peer("192.0.2.9"))).collect();
        assert_eq!(probes.len(), PROBE_PLACES_PER_NETWORK);
        drop((probes, busy));
        assert!(!connections.admit(peer("192.0.2.9")).unwrap().for_probes);
        assert!(connections.lock().probes.is_empty());
    }

    #[tokio::test]
    async fn when_places_run_out_the_busiest_network_loses_a_connection() {
        let connections = connections(4, 100);
        let owner = connections.admit(peer("198.51.100.1")).unwrap();
        let attacker: Vec<Place> =
            (1..=3).map(|host| connections.admit(peer(&format!("203.0.113.{host}"))).unwrap()).collect();
        let next = connections.admit(peer("198.51.100.2")).unwrap();
        assert!(is_evicted(&attacker[0]).await);
        assert!(!is_evicted(&owner).await && !is_evicted(&next).await);
    }

    #[tokio::test]
    async fn when_proxies_hold_every_place_an_idle_connection_of_a_proxy_is_closed() {
        let connections = connections(2, 100);
        let first = connections.admit(peer("10.0.0.1")).unwrap();
        let second = connections.admit(peer("10.0.0.1")).unwrap();
        let third = connections.admit(peer("10.0.0.1")).unwrap();
        assert!(is_evicted(&first).await && !is_evicted(&second).await && !is_evicted(&third).await);
        let direct = connections.admit(peer("192.0.2.1")).unwrap();
        drop(second);
        let proxied = connections.admit(peer("10.0.0.2")).unwrap();
        assert!(is_evicted(&direct).await && !is_evicted(&proxied).await, "a proxy gives way last");
    }

    #[test]
    fn a_proxy_has_no_limit_of_its_own_and_an_ipv6_network_is_one_address() {
        let connections = connections(100, 2);
        let proxied: Vec<Place> = (0..10).filter_map(|_| connections.admit(peer("10.1.2.3"))).collect();
        assert_eq!(proxied.len(), 10);
        let hosts = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"];
        let admitted: Vec<Place> = hosts.iter().filter_map(|host| connections.admit(peer(host))).collect();
        assert_eq!(connections.lock().by_address.get(&prefix("2001:db8::".parse().unwrap(), 32, 64)), Some(&2));
        drop(admitted);
        drop(proxied);
        assert!(connections.lock().all.is_empty() && connections.lock().by_address.is_empty());
    }
}
