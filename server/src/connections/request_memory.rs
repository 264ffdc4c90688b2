//! The memory that the heads and bodies of requests take. Each connection has some of its own; beyond it, all connections share
//! one amount, of which no network may take more than an eighth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use super::network::Network;

/// The memory that a connection has for its requests, in bytes.
const OWN: usize = 16 * 1024;
/// The heap that a header takes beside its name and value, in bytes.
const HEADER: usize = 192;

/// There is no memory for a request.
#[derive(Debug, thiserror::Error)]
#[error("there is no memory for another large request")]
pub struct NoMemory;

/// The memory that all connections share.
#[derive(Debug)]
pub struct SharedMemory {
    size: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_network: HashMap<Network, usize>,
}

impl SharedMemory {
    pub(super) fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { size, taken: Mutex::default() })
    }

    fn take(&self, network: Network, bytes: usize) -> Result<(), NoMemory> {
        if bytes == 0 {
            return Ok(());
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_network = taken.by_network.get(&network).copied().unwrap_or_default() + bytes;
        // a listed proxy's requests are of many networks
        let share = if network.is_direct { self.size / 8 } else { self.size };
        if taken.total + bytes > self.size || of_network > share {
            return Err(NoMemory);
        }
        taken.total += bytes;
        taken.by_network.insert(network, of_network);
        Ok(())
    }

    fn give_back(&self, network: Network, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(bytes);
        let left = taken.by_network.get(&network).map_or(0, |of_network| of_network.saturating_sub(bytes));
        if left == 0 {
            taken.by_network.remove(&network);
        } else {
            taken.by_network.insert(network, left);
        }
    }
}

/// The memory of a connection's requests.
#[derive(Debug)]
pub struct ConnectionMemory {
    network: Network,
    used: Mutex<usize>,
    shared: Arc<SharedMemory>,
}

impl ConnectionMemory {
    pub(super) fn new(network: Network, shared: Arc<SharedMemory>) -> Arc<Self> {
        Arc::new(Self { network, used: Mutex::default(), shared })
    }
}

/// The memory of one request, given back when this is dropped.
#[derive(Debug)]
pub struct RequestMemory {
    of: Arc<ConnectionMemory>,
    bytes: usize,
}

impl RequestMemory {
    /// That of a request's head.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_head(of: &Arc<ConnectionMemory>, headers: &HeaderMap) -> Result<Self, NoMemory> {
        let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER).sum();
        let mut memory = Self { of: of.clone(), bytes: 0 };
        memory.add(bytes).map(|()| memory)
    }

    /// Takes more.
    ///
    /// # Errors
    /// If there is none. What is taken so far stays so.
    pub fn add(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let ConnectionMemory { network, used, shared } = &*self.of;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        let more = (*used + bytes).saturating_sub(OWN) - used.saturating_sub(OWN);
        shared.take(*network, more)?;
        *used += bytes;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for RequestMemory {
    fn drop(&mut self) {
        let ConnectionMemory { network, used, shared } = &*self.of;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        let before = used.saturating_sub(OWN);
        *used = used.saturating_sub(self.bytes);
        shared.give_back(*network, before - used.saturating_sub(OWN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(ip: &str, is_proxy: bool, shared: &Arc<SharedMemory>) -> Arc<ConnectionMemory> {
        ConnectionMemory::new(Network::of(ip.parse().unwrap(), is_proxy), shared.clone())
    }

    fn taken(shared: &SharedMemory) -> (usize, usize) {
        let taken = shared.taken.lock().unwrap();
        (taken.total, taken.by_network.len())
    }

    #[test]
    fn a_connection_has_memory_of_its_own_and_a_share_beyond() {
        let shared = SharedMemory::new(80_000);
        let one = connection("192.0.2.1", false, &shared);
        let mut first = RequestMemory::of_head(&one, &HeaderMap::new()).unwrap();
        first.add(OWN).unwrap();
        assert_eq!(taken(&shared), (0, 0));
        let mut second = RequestMemory::of_head(&one, &HeaderMap::new()).unwrap();
        second.add(10_000).unwrap();
        assert_eq!(taken(&shared), (10_000, 1));
        assert!(second.add(1).is_err(), "an eighth for each network");
        let neighbour = connection("192.0.2.9", false, &shared);
        let mut of_neighbour = RequestMemory::of_head(&neighbour, &HeaderMap::new()).unwrap();
        of_neighbour.add(OWN).unwrap();
        assert!(of_neighbour.add(1).is_err(), "the network has its share");
        drop(first);
        assert_eq!(taken(&shared), (0, 0));
        drop((second, of_neighbour));
        let proxy = connection("10.0.0.1", true, &shared);
        let mut of_proxy = RequestMemory::of_head(&proxy, &HeaderMap::new()).unwrap();
        of_proxy.add(OWN + 80_000).unwrap();
        assert!(of_proxy.add(1).is_err());
        drop(of_proxy);
        assert_eq!(taken(&shared), (0, 0));
    }
}
