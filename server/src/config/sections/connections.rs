//! Settings of connections: deadlines, limits, the server's own TLS, and the PROXY protocol.

use std::path::Path;
use std::time::Duration;

use super::path;
use crate::config::PublicUrl;
use crate::config::settings_reader::SettingsReader;
use crate::tls::TlsFiles;

/// The settings of connections.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// `KEEP_ALIVE`.
    pub keep_alive: Duration,
    /// `SHUTDOWN_DELAY`.
    pub shutdown_delay: Duration,
    /// `MAX_CONNECTIONS`: the limit for all clients.
    pub total: usize,
    /// `MAX_CONNECTIONS_PER_ADDRESS`: the limit for one client address.
    pub per_address: usize,
    /// `PROXY_PROTOCOL`.
    pub proxy_protocol: bool,
    /// `TLS_CERT_FILE` and `TLS_KEY_FILE`.
    pub tls: Option<TlsFiles>,
}

pub fn connections(reader: &mut SettingsReader, public_url: &PublicUrl, has_proxies: bool) -> ConnectionSettings {
    let proxy_protocol = reader.flag("PROXY_PROTOCOL", false);
    if proxy_protocol && !has_proxies {
        let problem = "is on, but TRUSTED_PROXIES lists no proxy to accept the header from";
        reader.refuse("PROXY_PROTOCOL", problem, "list the proxies in TRUSTED_PROXIES");
    }
    ConnectionSettings {
        keep_alive: reader.duration("KEEP_ALIVE", Duration::from_secs(75)),
        shutdown_delay: reader.duration_or_zero("SHUTDOWN_DELAY", Duration::ZERO),
        total: reader.number("MAX_CONNECTIONS", 8192, 1, 1_000_000),
        per_address: reader.number("MAX_CONNECTIONS_PER_ADDRESS", 256, 1, 1_000_000),
        proxy_protocol,
        tls: tls(reader, public_url),
    }
}

fn tls(reader: &mut SettingsReader, public_url: &PublicUrl) -> Option<TlsFiles> {
    let certificate = path(reader, "TLS_CERT_FILE", "is no file that can be read", Path::is_file);
    let key = path(reader, "TLS_KEY_FILE", "is no file that can be read", Path::is_file);
    for (name, other) in [("TLS_CERT_FILE", "TLS_KEY_FILE"), ("TLS_KEY_FILE", "TLS_CERT_FILE")] {
        if reader.is_set(name) && !reader.is_set(other) {
            reader.refuse(name, &format!("goes with {other}"), "set both, or none");
        }
    }
    if certificate.is_some() && !public_url.is_https() {
        let fix = "set it to the https address that people open";
        reader.refuse("PUBLIC_URL", "is not https, and TLS_CERT_FILE is set", fix);
    }
    Some(TlsFiles { certificate: certificate?, key: key? })
}
