//! Access to `/dev/*`. The development mailbox holds everyone's reset links, so that only this machine may read it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{FORWARDED, HOST, VIA};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use crate::config::MailboxAccess;
use crate::http::app::App;
use crate::http::problem::Problem;

/// Answers 404, as an unknown path does, unless the request comes from this machine or `DEV_MAILBOX=any` is set.
pub async fn require_local_request(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if app.dev_mailbox == MailboxAccess::Any || is_local_request(peer.ip(), request.uri(), request.headers()) {
        return next.run(request).await;
    }
    Problem::not_found().into_response()
}

/// Whether a request comes from a program on this machine that names this machine.
///
/// The host is checked because of DNS rebinding: a web page can point its own name at 127.0.0.1 and then read the
/// answer. A request with a proxy's header is refused because its client may be on another machine.
#[must_use]
pub fn is_local_request(peer: IpAddr, uri: &Uri, headers: &HeaderMap) -> bool {
    let forwarded = headers.keys().any(|name| {
        *name == FORWARDED || *name == VIA || name == "x-real-ip" || name.as_str().starts_with("x-forwarded-")
    });
    peer.to_canonical().is_loopback() && !forwarded && names_loopback(uri, headers)
}

/// Whether every host that the request names is a loopback name. The request line may name one too (RFC 9112, section
/// 3.2.2).
fn names_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).into_iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let of_header = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    of_header.as_ref().is_some_and(is_loopback_name) && uri.authority().is_none_or(is_loopback_name)
}

fn is_loopback_name(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().to_ascii_lowercase();
    matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_local(peer: &str, uri: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        is_local_request(peer.parse().unwrap(), &uri.parse().unwrap(), &map)
    }

    #[test]
    fn a_loopback_peer_that_names_loopback_is_local() {
        for host in ["localhost", "LOCALHOST:8000", "foo.localhost:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80"]
        {
            for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
                assert!(is_local(peer, "/dev/mailbox", &[("host", host)]), "{peer} {host}");
            }
        }
        assert!(is_local("::1", "http://localhost/dev/mailbox", &[("host", "localhost")]));
    }

    #[test]
    fn another_host_name_is_not_local() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.evil.example",
            "evil@localhost",
            "0.0.0.0",
            "192.0.2.1",
            "[::2]",
            "",
        ] {
            assert!(!is_local("127.0.0.1", "/dev/mailbox", &[("host", host)]), "{host}");
        }
        assert!(!is_local("127.0.0.1", "/dev/mailbox", &[]));
        assert!(!is_local("127.0.0.1", "/dev/mailbox", &[("host", "localhost"), ("host", "localhost")]));
        assert!(!is_local("127.0.0.1", "http://evil.example/dev/mailbox", &[("host", "localhost")]));
    }

    #[test]
    fn a_request_from_another_machine_or_through_a_proxy_is_not_local() {
        for peer in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "10.0.0.1"] {
            assert!(!is_local(peer, "/dev/mailbox", &[("host", "localhost")]), "{peer}");
        }
        for name in ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"] {
            assert!(!is_local("127.0.0.1", "/dev/mailbox", &[("host", "localhost"), (name, "127.0.0.1")]), "{name}");
        }
    }
}
