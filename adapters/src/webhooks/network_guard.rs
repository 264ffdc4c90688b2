//! The addresses that a webhook may have: public ones, and those that the operator allows. The addresses of a name are checked
//! where they are resolved for a connection, so that no other address is ever connected to.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// IPv4 networks that are not public (IANA's special-purpose registry), with multicast, and the address at which Azure's
/// machines find their platform.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];
/// Global unicast. Everything outside of it is for other purposes.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// The parts of it that are not public: protocol assignments with Teredo, documentation, and 6to4, which leads to any IPv4
/// address.
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];
/// The prefix of NAT64 (RFC 6052): the IPv4 address is in the last 32 bits.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(bytes: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(bytes), length)
}

const fn v6(parts: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(parts), length)
}

/// The networks that the operator allows, beside public ones.
#[derive(Debug, Clone, Default)]
pub struct AllowedNetworks(pub Vec<IpNet>);

impl AllowedNetworks {
    /// Whether a connection may go to an address. An IPv4 address inside an IPv6 one counts as what it is.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = as_ipv4(address);
        self.0.iter().any(|net| net.contains(&address)) || is_public(address)
    }
}

fn as_ipv4(address: IpAddr) -> IpAddr {
    let IpAddr::V6(long) = address.to_canonical() else { return address.to_canonical() };
    if !NAT64.contains(&long) {
        return IpAddr::V6(long);
    }
    let [.., a, b, c, d] = long.octets();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => GLOBAL_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address)),
    }
}

/// A name that has an address which is neither public nor allowed.
#[derive(Debug)]
pub struct ForbiddenAddress;

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its name has an address that is neither public nor in WEBHOOK_ALLOW")
    }
}

impl Error for ForbiddenAddress {}

impl ForbiddenAddress {
    /// Whether it is the cause of an error.
    #[must_use]
    pub fn caused(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| (*error).source()).any(<dyn Error>::is::<Self>)
    }
}

/// The name servers of this machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// A resolver that answers with nothing if one address of a name is forbidden. The HTTP client connects to the addresses of
/// this answer and asks no second time.
pub struct GuardedResolver {
    /// Asked for the addresses.
    pub names: Arc<dyn Resolve>,
    /// The networks that are allowed.
    pub allowed: AllowedNetworks,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, allowed) = (self.names.resolve(name), self.allowed.clone());
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = found.await?.collect();
            if addresses.iter().all(|address| allowed.contain(address.ip())) {
                Ok(Box::new(addresses.into_iter()) as Addrs)
            } else {
                Err(Box::new(ForbiddenAddress) as Box<dyn Error + Send + Sync>)
            }
        })
    }
}
