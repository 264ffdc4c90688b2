//! The registry of open connections, by address and by network. To find the one that gives way takes a look at a few
//! networks at most, so that an attacker who opens connections fast does not make that slow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::connection::Connection;
use super::network::Network;

/// Connections that answer probes when every other place executes a request.
pub(super) const PROBE_PLACES: usize = 64;
/// The places of one network.
pub(super) const PROBE_PLACES_PER_NETWORK: usize = 4;
/// Networks in which a connection that gives way is looked for, the busiest first.
const NETWORKS_TRIED: usize = 8;

/// Numbers of connections, in the order in which they were opened.
type Numbers = BTreeSet<u64>;

/// The connections that are open. Each has a number.
#[derive(Debug, Default)]
pub(super) struct OpenConnections {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
    by_address: HashMap<IpNet, Numbers>,
    by_network: HashMap<Network, Numbers>,
    /// Every network that has connections: those of proxies first, then by the number of connections.
    by_size: BTreeSet<(bool, usize, Network)>,
    /// Places for probes, by network.
    probes: HashMap<Network, usize>,
}

impl OpenConnections {
    /// How many there are, without those for probes.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Those of an address.
    pub(super) fn of_address(&self, address: IpNet) -> usize {
        self.by_address.get(&address).map_or(0, Numbers::len)
    }

    /// Whether nothing is left of any connection.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
            && self.by_address.is_empty()
            && self.by_network.is_empty()
            && self.by_size.is_empty()
            && self.probes.is_empty()
    }

    /// Adds one; its number.
    pub(super) fn insert(&mut self, connection: Arc<Connection>) -> u64 {
        self.next += 1;
        let number = self.next;
        self.by_address.entry(connection.address).or_default().insert(number);
        self.change_network(connection.network, |numbers| numbers.insert(number));
        self.all.insert(number, connection);
        number
    }

    /// Removes one, if it is still there.
    pub(super) fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.all.remove(&number)?;
        if let Some(numbers) = self.by_address.get_mut(&connection.address) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_address.remove(&connection.address);
            }
        }
        self.change_network(connection.network, |numbers| numbers.remove(&number));
        Some(connection)
    }

    fn change_network(&mut self, network: Network, change: impl FnOnce(&mut Numbers) -> bool) {
        let numbers = self.by_network.entry(network).or_default();
        let before = numbers.len();
        change(numbers);
        let after = numbers.len();
        self.by_size.remove(&(network.is_direct, before, network));
        if after == 0 {
            self.by_network.remove(&network);
        } else {
            self.by_size.insert((network.is_direct, after, network));
        }
    }

    /// The connection of an address that has been idle longest; one that receives a body where none is idle.
    pub(super) fn longest_idle(&self, address: IpNet) -> Option<u64> {
        let numbers = self.by_address.get(&address).into_iter().flatten();
        let idle = numbers.filter_map(|number| Some((self.all.get(number)?.gives_way()?, *number)));
        idle.min().map(|(_, number)| number)
    }

    /// The oldest idle connection of the network that holds most, or the oldest that receives a body; of the next network
    /// where each executes a request. A proxy's only when no other network holds any.
    pub(super) fn oldest_of_busiest_network(&self) -> Option<u64> {
        let busiest = self.by_size.iter().rev().take(NETWORKS_TRIED);
        let mut oldest = busiest.filter_map(|(_, _, network)| {
            let numbers = self.by_network.get(network)?;
            let oldest = |receives: bool| {
                let gives_way = |number: &u64| self.all.get(number).and_then(|one| one.gives_way());
                numbers.iter().copied().find(|number| gives_way(number).is_some_and(|(is, _)| is == receives))
            };
            oldest(false).or_else(|| oldest(true))
        });
        oldest.next()
    }

    /// Gives a network a place for probes; whether there is one.
    pub(super) fn add_probe(&mut self, network: Network) -> bool {
        let all: usize = self.probes.values().sum();
        let own = self.probes.get(&network).copied().unwrap_or_default();
        let has_place = all < PROBE_PLACES && own < PROBE_PLACES_PER_NETWORK;
        if has_place {
            self.probes.insert(network, own + 1);
        }
        has_place
    }

    /// Takes a place for probes back.
    pub(super) fn remove_probe(&mut self, network: Network) {
        if let Some(count) = self.probes.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.probes.remove(&network);
            }
        }
    }
}
