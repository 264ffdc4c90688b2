//! The client at the other end of a connection: its address, its device and its language, as far as they are known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::locale::Locale;

/// A client's address. Limits count an IPv4 address whole and an IPv6 address by its /64, which one subscriber has
/// to themselves; only a coarser form of it is shown and stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// From a socket or a trusted proxy; an IPv4 address in IPv6 clothes is taken as IPv4.
    #[must_use]
    pub const fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The canonical network that limits count by.
    #[must_use]
    pub fn bucket(&self) -> [u8; 17] {
        let mut key = [0; 17];
        match self.0 {
            IpAddr::V4(v4) => {
                key[0] = 4;
                key[1..5].copy_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                key[0] = 6;
                key[1..9].copy_from_slice(v6.octets().first_chunk::<8>().unwrap_or(&[0; 8]));
            }
        }
        key
    }

    /// The networks that it is in, the largest first: /24 and the address itself of IPv4, /48, /56 and /64 of IPv6.
    #[must_use]
    pub fn networks(&self) -> Vec<Vec<u8>> {
        let first = |bytes: &[u8], lengths: &[usize]| {
            lengths.iter().map(|length| bytes.iter().copied().take(*length).collect()).collect()
        };
        match self.0 {
            IpAddr::V4(v4) => first(&v4.octets(), &[3, 4]),
            IpAddr::V6(v6) => first(&v6.octets(), &[6, 7, 8]),
        }
    }

    /// The network to show a person: /24 of IPv4, /48 of IPv6, the rest zero.
    #[must_use]
    pub fn coarse(&self) -> String {
        match self.0 {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Ipv4Addr::new(a, b, c, 0).to_string()
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).to_string()
            }
        }
    }
}

impl std::fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAddress(redacted)")
    }
}

/// The description of the device that a session was opened on.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where the request came from.
    pub address: ClientAddress,
    /// The `User-Agent` header, cut to 256 characters; empty where there is none.
    pub user_agent: String,
    /// The OAuth client that the request authenticates, which its tokens are issued to.
    pub oauth_client: Option<String>,
    /// The language that the client asks for; English where it asks for none.
    pub locale: Locale,
}

impl Client {
    /// From an address and a header of any length.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: &str) -> Self {
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(256).collect();
        Self { address: ClientAddress::new(address), user_agent, oauth_client: None, locale: Locale::default() }
    }

    /// The same, with the OAuth client that the request authenticates.
    #[must_use]
    pub fn with_oauth_client(self, oauth_client: Option<String>) -> Self {
        Self { oauth_client, ..self }
    }

    /// The same, with the language.
    #[must_use]
    pub fn with_locale(self, locale: Locale) -> Self {
        Self { locale, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(text: &str) -> [u8; 17] {
        ClientAddress::new(text.parse().unwrap()).bucket()
    }

    #[test]
    fn one_subscriber_is_one_bucket() {
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_eq!(bucket("::ffff:192.0.2.7"), bucket("192.0.2.7"));
        assert_ne!(bucket("192.0.2.7"), bucket("192.0.2.8"));
    }

    #[test]
    fn an_address_is_in_networks_of_several_sizes() {
        let networks = |text: &str| ClientAddress::new(text.parse().unwrap()).networks();
        assert_eq!(networks("192.0.2.7"), [vec![192, 0, 2], vec![192, 0, 2, 7]]);
        let sizes: Vec<usize> = networks("2001:db8::1").iter().map(Vec::len).collect();
        assert_eq!(sizes, [6, 7, 8]);
        assert_eq!(networks("2001:db8::1"), networks("2001:db8::ffff"));
    }

    #[test]
    fn only_the_network_of_an_address_is_shown() {
        let coarse = |text: &str| ClientAddress::new(text.parse().unwrap()).coarse();
        assert_eq!(coarse("192.0.2.77"), "192.0.2.0");
        assert_eq!(coarse("2001:db8:1:2::1"), "2001:db8:1::");
    }
}
