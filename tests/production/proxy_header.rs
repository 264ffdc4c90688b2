//! `PROXY_PROTOCOL=on`: connections of listed proxies begin with a PROXY header, and those of other peers are plain.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_tests::process::{Process, call};
use portcullis_tests::tls_proxy::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 8);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const HOST: &str = "auth.example.com";
/// The greeting of version 2.
const GREETING: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LOCAL: u8 = 0x20;
const PROXIED: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// A login that fails, with headers. Five a minute are allowed to each client.
fn login(headers: &str) -> Vec<u8> {
    format!(
        "POST /User1/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 35\r\n\r\n\
         username=nobody@example.com&password"
    )
    .into_bytes()
}

/// A header of version 1.
fn named(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 4711 443\r\n").into_bytes()
}

/// A header of version 2: command, family, addresses with ports, and fields.
fn binary(command: u8, family: u8, addresses: &[u8], fields: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len() + fields.len()).unwrap().to_be_bytes();
    [GREETING, &[command, family], &length, addresses, fields].concat()
}

async fn connect(server: SocketAddr, from: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(server).await.unwrap()
}

/// Sends bytes from an address of this machine; the status of the answer, or nothing if the connection is closed.
async fn ask(server: SocketAddr, from: Ipv4Addr, bytes: &[u8]) -> String {
    let mut stream = connect(server, from).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn settings(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "127.0.0.8,127.0.0.1"), ("RATE_LIMITS", "on")];
    usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn start(folder: &Path) -> Process {
    Process::start(folder, &settings(&[]))
}

/// Spends the logins of a client.
async fn spend(server: SocketAddr, header: &[u8]) {
    for _ in 0..5 {
        assert_eq!(ask(server, PROXY, &[header, &login("")].concat()).await, "422");
    }
    assert_eq!(ask(server, PROXY, &[header, &login("")].concat()).await, "429");
}

pub async fn a_listed_proxy_must_send_one_and_others_must_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let at = server.address;
    let header = named("198.51.100.7");
    spend(at, &header).await;
    // the client's own headers don't count
    for forged in ["X-Forwarded-For: 203.0.113.1\r\n", "Forwarded: for=203.0.113.1\r\n", "X-Real-IP: 203.0.113.1\r\n"] {
        assert_eq!(ask(at, PROXY, &[&*header, &login(forged)].concat()).await, "429", "{forged}");
    }
    // a second header is no HTTP
    assert_eq!(ask(at, PROXY, &[&*header, &named("203.0.113.1"), &login("")].concat()).await, "400");
    assert_eq!(ask(at, PROXY, &[named("198.51.100.8"), login("")].concat()).await, "422");
    assert_eq!(ask(at, PROXY, &login("")).await, "", "a listed proxy without a header");
    assert_eq!(ask(at, STRANGER, &[named("198.51.100.9"), login("")].concat()).await, "400", "a stranger's header");
    let addresses = [198, 51, 100, 9, 127, 0, 0, 1, 0x12, 0x67, 1, 0xbb];
    let binary = binary(PROXIED, TCP_OVER_IPV4, &addresses, &[]);
    assert_eq!(ask(at, STRANGER, &[binary, login("")].concat()).await, "400", "a stranger's header of version 2");
    assert_eq!(ask(at, STRANGER, &login("")).await, "422");
    // this machine is listed: its own check sends a header
    let port = at.port().to_string();
    let (code, _, error) = call(folder.path(), &settings(&[("PORT", &port)]), &["healthcheck"]);
    assert_eq!(code, 0, "{error}");
}

pub async fn either_version_names_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let v4 = |last: u8| [198, 51, 100, last, 127, 0, 0, 1, 0x12, 0x67, 1, 0xbb];
    let v6 = |network: u8, host: u8| {
        let mut addresses = [0; 36];
        addresses[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        (addresses[7], addresses[15]) = (network, host);
        addresses
    };
    let fields = [0x04, 0, 3, 1, 2, 3];
    spend(server.address, &named("198.51.100.1")).await;
    let same_client = binary(PROXIED, TCP_OVER_IPV4, &v4(1), &fields);
    assert_eq!(ask(server.address, PROXY, &[same_client, login("")].concat()).await, "429");
    let other_client = binary(PROXIED, TCP_OVER_IPV4, &v4(2), &fields);
    assert_eq!(ask(server.address, PROXY, &[other_client, login("")].concat()).await, "422");
    spend(server.address, &binary(PROXIED, TCP_OVER_IPV6, &v6(1, 1), &[])).await;
    let same_network = b"PROXY TCP6 2001:db8:0:1::2 ::1 4711 443\r\n".to_vec();
    assert_eq!(
        ask(server.address, PROXY, &[same_network, login("")].concat()).await,
        "429",
        "an IPv6 /64 is one client"
    );
    let other_network = binary(PROXIED, TCP_OVER_IPV6, &v6(2, 1), &[]);
    assert_eq!(ask(server.address, PROXY, &[other_network, login("")].concat()).await, "422");
    // the proxy's own check
    let probe = b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for own in [binary(LOCAL, 0, &[], &[]), b"PROXY UNKNOWN\r\n".to_vec()] {
        assert_eq!(ask(server.address, PROXY, &[&*own, probe].concat()).await, "200");
    }
    let broken = [
        binary(0x31, TCP_OVER_IPV4, &v4(3), &[]),
        binary(PROXIED, TCP_OVER_IPV4, &v4(3)[..4], &[]),
        binary(PROXIED, 0x77, &v4(3), &[]),
        b"PROXY TCP4 198.51.100.300 127.0.0.1 4711 443\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::1 ::1 4711 443\r\n".to_vec(),
        b"PROXY TCP4 198.51.100.3 127.0.0.1 4711 70000\r\n".to_vec(),
        [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat(),
    ];
    for header in broken {
        let shown = String::from_utf8_lossy(&header).into_owned();
        assert_eq!(ask(server.address, PROXY, &[header, login("")].concat()).await, "", "{shown:?}");
    }
}

pub async fn a_header_that_does_not_come_ends_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let more = [("MAX_CONNECTIONS", "3"), ("LOG_FORMAT", "json")];
    let (server, mut log) = Process::start_with_log(folder.path(), &settings(&more));
    let mut waiting = Vec::new();
    for begin in [&b""[..], b"PROXY TC", GREETING] {
        let mut stream = connect(server.address, PROXY).await;
        stream.write_all(begin).await.unwrap();
        waiting.push(stream);
    }
    // connections without a header take places like others, and the oldest gives way
    assert_eq!(ask(server.address, PROXY, &[named("198.51.100.7"), login("")].concat()).await, "422");
    for stream in &mut waiting {
        // the deadline is far below that of idle connections
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 16])).await;
        assert!(read.is_ok_and(|read| matches!(read, Ok(0) | Err(_))));
    }
    let line = log.find_map(|line| line.ok().filter(|line| line.contains("PROXY_PROTOCOL"))).unwrap();
    assert!(line.contains("a listed proxy sent no PROXY header") && line.contains("127.0.0.8"), "{line}");
}

pub async fn a_header_comes_before_tls() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (certificate, key) = authority.certificate(HOST);
    std::fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let port = portcullis_test_services::process::free_port().unwrap().to_string();
    let files = [("TLS_CERT_FILE", "certificate.pem"), ("TLS_KEY_FILE", "key.pem"), ("PORT", &*port)];
    let own = settings(&[&files[..], &[("PUBLIC_URL", "https://auth.example.com")]].concat());
    let server = Process::start(folder.path(), &own);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let ask_by_tls = async |from: Ipv4Addr, header: &[u8]| {
        let mut stream = connect(server.address, from).await;
        stream.write_all(header).await.unwrap();
        let mut stream = connector.connect(ServerName::try_from(HOST).unwrap(), stream).await.ok()?;
        stream.write_all(&login("")).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.split(' ').nth(1).map(str::to_owned)
    };
    for status in ["422", "422", "422", "422", "422", "429"] {
        assert_eq!(ask_by_tls(PROXY, &named("198.51.100.7")).await.as_deref(), Some(status));
    }
    assert_eq!(ask_by_tls(PROXY, &named("198.51.100.8")).await.as_deref(), Some("422"));
    assert_eq!(ask_by_tls(STRANGER, b"").await.as_deref(), Some("422"));
    assert_eq!(ask_by_tls(STRANGER, &named("198.51.100.8")).await, None, "a stranger's header is no handshake");
    assert_eq!(ask_by_tls(PROXY, b"").await, None, "a handshake is no header");
    let (code, _, error) = call(folder.path(), &own, &["healthcheck"]);
    assert_eq!(code, 0, "{error}");
}
