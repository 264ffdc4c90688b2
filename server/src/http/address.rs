//! The caller's address: the socket's, unless listed proxies stand in between, which are then believed from the right.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The address of the client that connected to the outermost trusted proxy. Headers from anyone else are ignored.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    match (headers.contains_key("forwarded"), headers.contains_key("x-forwarded-for")) {
        (true, false) => walk(peer, forwarded(headers), trusted),
        (false, _) => walk(peer, x_forwarded_for(headers), trusted),
        // a proxy writes one of the two, and may let the client's other one through: only what both say counts
        (true, true) => {
            let (one, other) = (walk(peer, forwarded(headers), trusted), walk(peer, x_forwarded_for(headers), trusted));
            if one == other { one } else { peer.to_canonical() }
        }
    }
}

fn walk(peer: IpAddr, hops: Vec<Option<IpAddr>>, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address.to_canonical()));
    let mut client = peer.to_canonical();
    for hop in hops.into_iter().rev() {
        if !is_trusted(client) {
            break;
        }
        // an unreadable hop hides the client behind it: the proxy before it is the one to count
        let Some(address) = hop else { break };
        client = address.to_canonical();
    }
    client
}

fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .map(|value| value.to_str().unwrap_or("unreadable"))
        .flat_map(|text| text.split(','))
}

fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    texts(headers, "x-forwarded-for").map(|hop| parse(hop.trim())).collect()
}

/// RFC 7239: `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"`.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let node = |hop: &str| {
        let pair = hop.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pair.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        named.next().and_then(|(_, node)| parse(node.trim().trim_matches('"')))
    };
    texts(headers, "forwarded").map(node).collect()
}

/// An address with or without port and brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, trusted: &[&str], headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn an_unlisted_peer_cannot_choose_its_address() {
        assert_eq!(seen("203.0.113.9", &[], &[("x-forwarded-for", "1.2.3.4")]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["10.0.0.0/8"], &[("x-forwarded-for", "1.2.3.4")]), "203.0.113.9");
    }

    #[test]
    fn listed_proxies_are_believed_from_the_right() {
        let trusted = ["10.0.0.0/8", "::1/128"];
        assert_eq!(seen("10.0.0.1", &trusted, &[("x-forwarded-for", "6.6.6.6, 198.51.100.7")]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &trusted, &[("x-forwarded-for", "198.51.100.7, 10.0.0.2")]), "198.51.100.7");
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(seen("10.0.0.1", &trusted, &two), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &trusted, &[("x-forwarded-for", "198.51.100.7, garbage")]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &trusted, &[("x-forwarded-for", "198.51.100.7:4711")]), "198.51.100.7");
        let both = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=6.6.6.6")];
        assert_eq!(seen("10.0.0.1", &trusted, &both), "10.0.0.1");
        let agreed = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=198.51.100.7")];
        assert_eq!(seen("10.0.0.1", &trusted, &agreed), "198.51.100.7");
        let rfc7239 = [("forwarded", "for=6.6.6.6, FOR=\"[2001:db8::1]:4711\";proto=https")];
        assert_eq!(seen("::1", &trusted, &rfc7239), "2001:db8::1");
    }
}
