//! Clients that have logged in since the start, so that a flood of logins from elsewhere does not keep them out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use portcullis_core::model::client::ClientAddress;

/// Addresses that are remembered; the ones that did not log in for longest are forgotten.
const MAX_ADDRESSES: usize = 20_000;

/// Addresses that have logged in, with the number of their last login.
#[derive(Debug, Default)]
pub struct KnownAddresses(Mutex<(u64, HashMap<[u8; 17], u64>)>);

impl KnownAddresses {
    /// Whether the address has logged in.
    #[must_use]
    pub fn contains(&self, address: &ClientAddress) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.contains_key(&address.bucket())
    }

    /// Remembers an address.
    pub fn insert(&self, address: &ClientAddress) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (logins, addresses) = &mut *guard;
        *logins += 1;
        addresses.insert(address.bucket(), *logins);
        if addresses.len() > MAX_ADDRESSES {
            let mut all: Vec<u64> = addresses.values().copied().collect();
            all.sort_unstable();
            let oldest_kept = all.get(MAX_ADDRESSES / 2).copied().unwrap_or_default();
            addresses.retain(|_, login| *login >= oldest_kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_remembered() {
        let known = KnownAddresses::default();
        let address = |n: u32| ClientAddress::new(std::net::Ipv4Addr::from(n).into());
        for n in 0..50_000 {
            known.insert(&address(n));
        }
        assert!(known.contains(&address(49_999)) && !known.contains(&address(1)));
        assert!(known.0.lock().unwrap().1.len() <= MAX_ADDRESSES);
    }
}
