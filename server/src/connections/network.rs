//! Networks, whose connections are counted together.

use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses that are counted together when places run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Network {
    /// Whether they are clients' own, and not those of listed proxies.
    pub(super) is_direct: bool,
    addresses: IpNet,
}

impl Network {
    /// That of an address: /24, /48.
    pub(super) fn of(ip: IpAddr, is_proxy: bool) -> Self {
        Self { is_direct: !is_proxy, addresses: prefix(ip, 24, 48) }
    }
}

/// The network of an address.
pub(super) fn prefix(ip: IpAddr, v4: u8, v6: u8) -> IpNet {
    let bits = if ip.is_ipv4() { v4 } else { v6 };
    IpNet::new(ip, bits).map_or_else(|_| ip.into(), |network| network.trunc())
}
