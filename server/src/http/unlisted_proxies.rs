//! Notices requests with a proxy's header from a peer that is not in `TRUSTED_PROXIES`. Then either a proxy is missing there,
//! and all its clients count as one address, or a client invents the header.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use ipnet::IpNet;
use portcullis_core::model::client::ClientAddress;
use portcullis_core::model::time::Timestamp;

/// The first such request, and how many there were.
#[derive(Debug, Default)]
pub struct UnlistedProxies {
    first: OnceLock<FirstSighting>,
    requests: Arc<AtomicU64>,
}

/// The first request.
#[derive(Debug)]
pub struct FirstSighting {
    /// The peer: a private address as it is, a public one as its /24 or /48, because it may be a client's.
    pub peer: String,
    /// Whether the peer has a private address, as proxies have.
    pub private: bool,
    /// When it came.
    pub at: Timestamp,
}

impl UnlistedProxies {
    /// Looks at a request. The first sighting is logged.
    pub fn observe(&self, peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], now: impl FnOnce() -> Timestamp) {
        let peer = peer.to_canonical();
        let forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
        if !forwarded || trusted.iter().any(|net| net.contains(&peer)) {
            return;
        }
        if self.requests.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let private = is_private(peer);
        let shown = if private { peer.to_string() } else { ClientAddress::new(peer).coarse() };
        let sighting = self.first.get_or_init(|| FirstSighting { peer: shown, private, at: now() });
        tracing::warn!(
            peer = sighting.peer,
            "a request has X-Forwarded-For or Forwarded, and its peer is not in TRUSTED_PROXIES: a proxy is missing there, so \
             that all its clients share one address in the rate limits, or a client invents the header. This is logged once"
        );
    }

    /// The first sighting; `None` if there was none.
    #[must_use]
    pub fn first(&self) -> Option<&FirstSighting> {
        self.first.get()
    }

    /// The number of such requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The number of such requests, for the metrics.
    #[must_use]
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.requests.clone()
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(peer: &str, header: &'static str, trusted: &str) -> UnlistedProxies {
        let seen = UnlistedProxies::default();
        let headers = HeaderMap::from_iter([(header.parse().unwrap(), "198.51.100.7".parse().unwrap())]);
        let trusted: Vec<IpNet> = trusted.split_terminator(',').map(|net| net.parse().unwrap()).collect();
        for second in [7, 8] {
            seen.observe(peer.parse().unwrap(), &headers, &trusted, || Timestamp::from_millis(second));
        }
        seen
    }

    #[test]
    fn the_first_of_many_is_remembered() {
        for header in ["x-forwarded-for", "forwarded"] {
            let seen = observed("::ffff:10.1.2.3", header, "192.0.2.0/24");
            let first = seen.first().unwrap();
            assert_eq!((first.peer.as_str(), first.private, first.at.as_millis()), ("10.1.2.3", true, 7));
            assert_eq!(seen.requests(), 2);
        }
    }

    #[test]
    fn a_public_peer_is_shown_by_its_network() {
        let seen = observed("203.0.113.9", "forwarded", "");
        assert_eq!((seen.first().unwrap().peer.as_str(), seen.first().unwrap().private), ("203.0.113.0", false));
    }

    #[test]
    fn listed_proxies_and_other_headers_are_nothing_to_report() {
        for (peer, header) in [("10.1.2.3", "x-forwarded-for"), ("203.0.113.9", "x-real-ip")] {
            let seen = observed(peer, header, "10.0.0.0/8");
            assert!(seen.first().is_none() && seen.requests() == 0);
        }
    }
}
