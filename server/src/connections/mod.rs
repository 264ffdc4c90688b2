//! Deadlines and places of TCP connections, which hyper does not have (docs/adr/0010): a wrapper around the accepted
//! socket notes what happens on it, and a registry decides which connection gives way when places run out.

mod connection;
mod network;
mod open_connections;
mod request_memory;
mod watched_stream;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;

pub use self::connection::{Connection, Execution, Receiving};
use self::open_connections::OpenConnections;
use self::request_memory::SharedMemory;
pub use self::request_memory::{NoMemory, RequestMemory};
pub use self::watched_stream::WatchedStream;

/// The memory that large requests of all connections share, in bytes.
pub const SHARED_MEMORY: usize = 16 << 20;

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
    /// The memory that large requests of all connections share, in bytes.
    pub shared_memory: usize,
}

impl ConnectionLimits {
    /// Whether an address is that of a listed proxy.
    #[must_use]
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address.to_canonical()))
    }
}

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    /// The operator's limits.
    pub limits: ConnectionLimits,
    open: Mutex<OpenConnections>,
    memory: Arc<SharedMemory>,
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
            open.remove_probe(self.connection.network);
        } else {
            open.remove(self.number);
        }
    }
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        let memory = SharedMemory::new(limits.shared_memory);
        Arc::new(Self { limits, open: Mutex::default(), memory })
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection. Beyond the limit of its address, that address's longest-idle connection gives way;
    /// when all places are taken, the longest-lived connection of the network that holds most. When every connection that
    /// could give way executes a request, a place for probes; `None` when those are taken too.
    #[must_use]
    pub fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let ip = peer.ip().to_canonical();
        let connection = Arc::new(Connection::new(ip, self.limits.is_proxy(ip), self.memory.clone()));
        let mut open = self.lock();
        let is_over = connection.network.is_direct && open.of_address(connection.address) >= self.limits.per_address;
        let is_full = open.count() >= self.limits.total;
        let place = |number, for_probes| Place {
            connection: connection.clone(),
            for_probes,
            number,
            connections: self.clone(),
        };
        if is_over || is_full {
            let gives_way =
                if is_over { open.longest_idle(connection.address) } else { open.oldest_of_busiest_network() };
            let Some(gives_way) = gives_way else {
                return open.add_probe(connection.network).then(|| place(0, true));
            };
            if let Some(evicted) = open.remove(gives_way) {
                evicted.evicted.notify_one();
            }
        }
        let number = open.insert(connection.clone());
        Some(place(number, false))
    }
}

#[cfg(test)]
mod tests {
    use super::open_connections::{PROBE_PLACES, PROBE_PLACES_PER_NETWORK};
    use super::*;

    fn connections(total: usize, per_address: usize) -> Arc<Connections> {
        Connections::new(ConnectionLimits {
            keep_alive: Duration::from_secs(75),
            total,
            per_address,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            shared_memory: SHARED_MEMORY,
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
    async fn a_request_whose_body_is_still_arriving_gives_way() {
        let connections = connections(1, 100);
        let slow = connections.admit(peer("192.0.2.1")).unwrap();
        slow.connection.execute();
        let receiving = Receiving::begin(&slow.connection);
        let next = connections.admit(peer("192.0.2.2")).unwrap();
        assert!(is_evicted(&slow).await && !next.for_probes);
        drop(receiving);
        let idle_first = Connections::new(ConnectionLimits { total: 2, ..connections.limits.clone() });
        let (slow, idle) = (idle_first.admit(peer("192.0.2.1")).unwrap(), idle_first.admit(peer("192.0.2.1")).unwrap());
        slow.connection.execute();
        let _receiving = Receiving::begin(&slow.connection);
        let _third = idle_first.admit(peer("192.0.2.1")).unwrap();
        assert!(is_evicted(&idle).await && !is_evicted(&slow).await, "an idle one goes first");
        next.connection.execute();
        drop(Receiving::begin(&next.connection));
        assert!(connections.admit(peer("192.0.2.3")).unwrap().for_probes, "its body is there");
    }

    #[tokio::test]
    async fn where_the_busiest_network_executes_requests_the_next_one_loses_a_connection() {
        let connections = connections(3, 100);
        let busy: Vec<Place> =
            (1..=2).map(|host| connections.admit(peer(&format!("203.0.113.{host}"))).unwrap()).collect();
        for place in &busy {
            place.connection.execute();
        }
        let idle = connections.admit(peer("198.51.100.1")).unwrap();
        let next = connections.admit(peer("192.0.2.1")).unwrap();
        assert!(is_evicted(&idle).await && !next.for_probes);
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
        let network: IpNet = "2001:db8::/64".parse().unwrap();
        assert_eq!(connections.lock().of_address(network), 2);
        drop(admitted);
        drop(proxied);
        assert!(connections.lock().is_empty());
    }
}
