//! TLS of the server's own: versions, HTTP/2, the key exchange, and a certificate that is replaced.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_test_services::process::free_port;
use portcullis_tests::process::{Process, call};
use portcullis_tests::tls_proxy::Authority;
use portcullis_tests::{Api, Person};
use reqwest::{Certificate, Client, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, NamedGroup, RootCertStore};

const HOST: &str = "auth.example.com";

fn write_certificate(folder: &Path, authority: &Authority) {
    let (certificate, key) = authority.certificate(HOST);
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate).unwrap();
}

/// Writes a certificate. Returns the settings of a server with TLS, and its URL.
fn prepare(folder: &Path, authority: &Authority, more: &[(&str, &str)]) -> (Vec<(String, String)>, String) {
    write_certificate(folder, authority);
    let port = free_port().unwrap();
    let url = format!("https://{HOST}:{port}");
    let usual = [
        ("PORT", &*port.to_string()),
        ("PUBLIC_URL", &url),
        ("TLS_CERT_FILE", "certificate.pem"),
        ("TLS_KEY_FILE", "key.pem"),
        ("DEV_MAILBOX", "any"),
    ];
    let settings = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    (settings.collect(), url)
}

fn client(server: &Process, authority: &Authority) -> Client {
    let certificate = Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let builder = Client::builder().no_proxy().tls_certs_only([certificate]).pool_max_idle_per_host(0);
    builder.resolve(HOST, server.address).build().unwrap()
}

pub async fn a_person_logs_in_without_a_proxy() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (settings, url) = prepare(folder.path(), &authority, &[]);
    let server = Process::start(folder.path(), &settings);
    let api = Api::at(client(&server, &authority), &url, "User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    let profile = john.get("/").await.expect(200);
    assert!(profile.header("strict-transport-security").contains("max-age"));
    std::fs::write(folder.path().join("authority.pem"), &authority.pem).unwrap();
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert"]);
        command.arg(folder.path().join("authority.pem")).arg("--resolve");
        command.arg(format!("{HOST}:{}:127.0.0.1", server.address.port()));
        let output = command.args(more).arg(format!("{url}/livez")).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(curl(&["--http2", "--tlsv1.3"]).as_deref(), Some("2 200"));
    assert_eq!(curl(&["--http2", "--tls-max", "1.2"]).as_deref(), Some("2 200"));
    assert_eq!(curl(&["--http1.1"]).as_deref(), Some("1.1 200"));
    assert_eq!(curl(&["--tls-max", "1.1"]), None);
    // a body and an error in HTTP/2
    assert_eq!(curl(&["--http2", "--data", "username=x&password=y"]).as_deref(), Some("2 405"));
    // a list of headers that is too long for HTTP/2, and one that HTTP/1.1 still reads
    let long = format!("x-long: {}", "x".repeat(20_000));
    assert_eq!(curl(&["--http2", "--header", &long]).as_deref(), Some("2 431"));
    assert_eq!(curl(&["--http1.1", "--header", &long]).as_deref(), Some("1.1 200"));
    let (code, _, error) = call(folder.path(), &settings, &["healthcheck"]);
    assert_eq!(code, 0, "{error}");
    let code = tokio::task::spawn_blocking(move || server.exit_code()).await.unwrap();
    assert_eq!(code, Some(0));
}

pub async fn requests_of_a_connection_of_http2_share_a_bounded_memory() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (settings, url) = prepare(folder.path(), &authority, &[("RATE_LIMITS", "off")]);
    let server = Process::start(folder.path(), &settings);
    let stream = connect(&server, &authority, default_provider().kx_groups, b"h2").await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let mut begin = |headers: usize| {
        let request = http::Request::post(format!("{url}/User1/revoke"));
        let mut request = request.header("content-type", "application/x-www-form-urlencoded");
        for n in 0..headers {
            request = request.header(format!("x-{n}"), "1");
        }
        let (answer, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data("token=".into(), false).unwrap();
        (answer, body)
    };
    // small requests, all at once
    let mut small: Vec<_> = (0..60).map(|_| begin(0)).collect();
    for (answer, mut body) in small.drain(..) {
        body.send_data("x".into(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
    // heads of 70 KiB on the heap each: a share of 2 MiB is soon taken
    let mut large: Vec<_> = (0..60).map(|_| begin(300)).collect();
    let (answer, _) = large.pop().unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(
        answer.headers().contains_key("x-request-id") && answer.headers().contains_key("content-type"),
        "{answer:?}"
    );
    drop(large);
    let (answer, mut body) = begin(0);
    body.send_data("x".into(), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
}

pub async fn a_host_of_http2_is_read_like_that_of_http1() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (settings, _) = prepare(folder.path(), &authority, &[("DEV_MAILBOX", "")]);
    let server = Process::start(folder.path(), &settings);
    let status = |version: &str, host: &str| {
        let mut command = Command::new("curl");
        command.args(["-sSk", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", version]);
        command.arg("--resolve").arg(format!("{host}:{}:127.0.0.1", server.address.port()));
        let output = command.arg(format!("https://{host}:{}/dev/mailbox", server.address.port())).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // the mailbox is shown where the request names this machine
    assert_eq!((status("--http2", "localhost"), status("--http1.1", "localhost")), ("2 200".into(), "1.1 200".into()));
    assert_eq!((status("--http2", HOST), status("--http1.1", HOST)), ("2 404".into(), "1.1 404".into()));
}

/// A connection of a client that prefers these groups and speaks this protocol.
async fn connect(
    server: &Process,
    authority: &Authority,
    groups: Vec<&'static dyn SupportedKxGroup>,
    protocol: &[u8],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = CryptoProvider { kx_groups: groups, ..default_provider() };
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(HOST).unwrap(), stream).await.unwrap()
}

/// The group of a handshake with a client that prefers these.
async fn negotiated(server: &Process, authority: &Authority, groups: Vec<&'static dyn SupportedKxGroup>) -> NamedGroup {
    let stream = connect(server, authority, groups, b"http/1.1").await;
    stream.get_ref().1.negotiated_key_exchange_group().unwrap().name()
}

pub async fn the_key_exchange_is_hybrid_if_the_client_can() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let server = Process::start(folder.path(), &prepare(folder.path(), &authority, &[]).0);
    // as browsers do, it offers shares of both
    let both = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    assert_eq!(negotiated(&server, &authority, both).await, NamedGroup::X25519MLKEM768);
    assert_eq!(negotiated(&server, &authority, vec![kx_group::SECP256R1]).await, NamedGroup::secp256r1);
}

pub async fn a_new_certificate_is_read_at_sighup_and_a_broken_one_is_not_used() {
    let (folder, [first, second]) = (tempfile::tempdir().unwrap(), [Authority::new(), Authority::new()]);
    let (settings, url) = prepare(folder.path(), &first, &[]);
    let (server, mut log) = Process::start_with_log(folder.path(), &settings);
    // sends the signal, and waits for the line that says what came of it
    let mut hang_up = || {
        let sent = Command::new("kill").args(["-HUP", &server.id().to_string()]).status().unwrap();
        assert!(sent.success());
        log.find_map(|line| line.ok().filter(|line| line.contains("the certificate"))).unwrap()
    };
    let trusts = async |authority: &Authority| {
        client(&server, authority).request(Method::GET, format!("{url}/livez")).send().await.is_ok()
    };
    assert!(trusts(&first).await && !trusts(&second).await);
    let [(certificate, key), (other_certificate, _)] = [&second, &second].map(|authority| authority.certificate(HOST));
    let broken = [
        ("nonsense", Some(&*key), "TLS_CERT_FILE: certificate.pem has no certificate"),
        (&*key, Some(&*key), "TLS_CERT_FILE: certificate.pem has no certificate"),
        (&*other_certificate, Some(&*key), "TLS_KEY_FILE: key.pem does not fit the certificate"),
        (&*certificate, Some("nonsense"), "TLS_KEY_FILE: key.pem has no private key"),
        (&*certificate, None, "TLS_KEY_FILE: key.pem cannot be read"),
    ];
    for (certificate, key, reason) in broken {
        std::fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
        match key {
            Some(key) => std::fs::write(folder.path().join("key.pem"), key).unwrap(),
            None => std::fs::remove_file(folder.path().join("key.pem")).unwrap(),
        }
        let line = hang_up().replace(&format!("{}/", folder.path().display()), "");
        assert!(line.contains("stays as it was") && line.contains(reason), "{line}, not {reason}");
        assert!(!line.contains("BEGIN"), "{line}");
        assert!(trusts(&first).await, "{reason}");
    }
    write_certificate(folder.path(), &second);
    assert!(hang_up().contains("was read again"));
    assert!(trusts(&second).await && !trusts(&first).await);
}

/// A connection that has sent the first half of a handshake.
async fn half_handshake(server: &Process) -> TcpStream {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut hello = Vec::new();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from(HOST).unwrap()).unwrap();
    client.write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&hello[..hello.len() / 2]).await.unwrap();
    stream
}

/// Whether the server closes a connection within half a minute: long after the deadline of handshakes, and before that of idle
/// connections.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 1024])).await;
    read.is_ok_and(|read| matches!(read, Ok(0) | Err(_)))
}

pub async fn handshakes_that_never_end_keep_nobody_out() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let (settings, url) = prepare(folder.path(), &authority, &[("MAX_CONNECTIONS", "4")]);
    let server = Process::start(folder.path(), &settings);
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(half_handshake(&server).await);
    }
    let answer =
        client(&server, &authority).request(Method::GET, format!("{url}/User1/sessions")).send().await.unwrap();
    assert_eq!(answer.status(), 401, "it has the place of a handshake, and not one for probes only");
    assert!(is_closed(&mut waiting[0]).await, "the oldest handshake gives way");
    // one that sends a byte now and then has no more time than the others
    let mut slow = waiting.pop().unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let began = Instant::now();
    while tokio::time::timeout(Duration::from_millis(1), slow.read(&mut [0; 1024])).await.is_err() {
        assert!(began.elapsed().as_secs() < 30, "a slow handshake is not closed");
        ticks.tick().await;
        let _ = slow.write_all(b"\x01").await;
    }
    for stream in &mut waiting[1..] {
        assert!(is_closed(stream).await);
    }
}
