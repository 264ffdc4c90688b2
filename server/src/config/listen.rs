//! The address that the server listens on, and how a process of the same machine reaches it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address to listen on.
#[derive(Debug, Clone)]
pub struct Listen {
    /// A name or address of this machine.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Listen {
    /// Where a process of this machine reaches the listener, as `host:port`.
    #[must_use]
    pub fn local_address(&self) -> String {
        let host = match self.host.as_str() {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" | "[::]" => "[::1]".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        format!("{host}:{}", self.port)
    }

    /// The address from which a process of this machine connects to the server, as the server sees it.
    #[must_use]
    pub fn local_peer(&self) -> IpAddr {
        let address = self.local_address().parse::<SocketAddr>();
        address.map_or_else(|_| Ipv4Addr::LOCALHOST.into(), |address| address.ip())
    }
}

/// How a process of this machine asks the server.
#[derive(Debug)]
pub struct LocalListener {
    /// Its `host:port`.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether it waits for a PROXY header, because this machine is a listed proxy.
    pub proxy_header: bool,
}
