//! A person's way through each proxy in front of the real server: at a host of its own, and below a path that the proxy
//! passes on or removes.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use portcullis_tests::api::token_of;
use portcullis_tests::process::Process;
use portcullis_tests::{Api, Person};
use reqwest::{Certificate, Client, Method};
use serde_json::json;

use crate::proxy_programs::{self, PROXY_ADDRESS, Paths, Proxy, public_url, write_authority};

/// Starts a proxy in front of a server.
type Start = fn(Paths, u16, SocketAddr) -> Proxy;

/// A client at another address of this machine.
fn client(proxy: &Proxy, paths: Paths, from: [u8; 4]) -> Client {
    let authority = Certificate::from_pem(proxy.authority.as_bytes()).unwrap();
    let builder = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let builder = builder.tls_certs_only([authority]).local_address(IpAddr::from(from));
    builder.resolve(paths.host(), SocketAddr::from(([127, 0, 0, 1], proxy.port))).build().unwrap()
}

/// Waits until a proxy has read its certificate and knows by its health checks that the server is there.
async fn ready(api: &Api) {
    let began = std::time::Instant::now();
    while api.request(Method::GET, "//").send().await.map_or(0, |answer| answer.status().as_u16()) != 200 {
        assert!(began.elapsed().as_secs() < 20, "the proxy has no server");
        tokio::task::yield_now().await;
    }
}

async fn story(paths: Paths, start: Start) {
    story_with(paths, start, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
}

async fn story_with(paths: Paths, start: Start, own: &[(&str, &str)]) {
    let (folder, (port, url)) = (tempfile::tempdir().unwrap(), public_url(paths));
    let usual = [("PUBLIC_URL", url.as_str()), ("RATE_LIMITS", "on"), ("ENVIRONMENT", "development")];
    let settings = usual.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings: Vec<(String, String)> = settings.collect();
    let server = Process::start(folder.path(), &settings);
    let proxy = start(paths, port, server.address);
    let http = client(&proxy, paths, [127, 0, 0, 9]);
    let api = Api::at(http.clone(), &url, "User1");
    ready(&api).await;
    a_person_registers_and_logs_in(&http, &api, &server.api, &url).await;
    addresses_are_the_clients(&proxy, paths, &url).await;
    other_names_are_refused(&http, &url).await;
    versions_of_tls_and_http(&proxy, paths, &url, folder.path());
    let metadata =
        format!("https://{}:{port}/.well-known/oauth-authorization-server{}/User1", paths.host(), paths.prefix());
    let metadata = http.get(&metadata).send().await.unwrap().json::<serde_json::Value>().await.unwrap();
    assert_eq!(metadata["issuer"], format!("{url}/User1"));
    // what only operators ask
    for path in ["//metrics", "//health/detailed", "//admin/v1/User1/audit"] {
        let _ = api.get(path).await.expect(404);
    }
    // another's mailbox is no affair of who comes through a proxy
    assert_ne!(api.get("//dev/mailbox").await.status, 200);
}

async fn a_person_registers_and_logs_in(http: &Client, api: &Api, direct: &Api, url: &str) {
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let mail = direct.mail("mail_email_verify", &person.email).await;
    // the link of the mail leads through the proxy to a page whose form and style do too
    let link = mail["links"][0].as_str().unwrap();
    assert!(link.starts_with(&format!("{url}/User1/verify?token=")), "{link}");
    let page = http.get(link).header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    let follow = |attribute: &str| {
        let target = text.split(attribute).nth(1).unwrap_or_else(|| panic!("{text}")).split('"').next().unwrap();
        reqwest::Url::parse(link).unwrap().join(target).unwrap()
    };
    let style = http.get(follow("rel=\"stylesheet\" href=\"")).send().await.unwrap();
    assert_eq!(
        (style.status().as_u16(), style.headers()["content-type"].to_str().unwrap()),
        (200, "text/css; charset=utf-8")
    );
    let verified = http.post(follow("action=\"")).form(&[("token", token_of(&mail))]).send().await.unwrap();
    assert_eq!(verified.status(), 200);
    let (john, refresh) = api.session(&person).await;
    let profile = john.get("/").await.expect(200);
    assert_eq!(profile.json()["email"], person.email);
    assert!(profile.header("strict-transport-security").contains("max-age"));
    let pair = api.refresh(&refresh).await.expect(200);
    let _ = api.with_token(&pair.member("access_token")).get("/").await.expect(200);
    // what is too long is answered by the server, in its own form
    let long = api.post("/create", &json!({"first_name": "x".repeat(70_000)})).await.expect(413);
    assert_eq!(long.header("content-type"), "application/problem+json");
}

/// Five logins a minute for each client, whatever it says about its address.
async fn addresses_are_the_clients(proxy: &Proxy, paths: Paths, url: &str) {
    let (one, other) = (client(proxy, paths, [127, 0, 0, 9]), client(proxy, paths, [127, 0, 0, 10]));
    let try_login = async |http: &Client, header: Option<(&str, &str)>| {
        let form = [("username", "nobody@example.com"), ("password", "wrong")];
        let mut request = http.request(Method::POST, format!("{url}/User1/login")).form(&form);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(try_login(&one, None).await);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    for header in [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6"), ("x-real-ip", "6.6.6.6")] {
        assert_eq!(try_login(&one, Some(header)).await, 429, "{header:?}");
    }
    assert_eq!(try_login(&other, None).await, 401);
}

async fn other_names_are_refused(http: &Client, url: &str) {
    // the right name in the TLS handshake, another one in the request
    if let Ok(answer) = http.get(format!("{url}/User1/")).header("host", "evil.example").send().await {
        assert!(answer.status().is_client_error() && answer.status() != 401, "{}", answer.status());
    }
    let plain = url.replace("https://", "http://");
    if let Ok(answer) = http.get(plain).send().await {
        assert!(!answer.status().is_success(), "{}", answer.status());
    }
}

fn versions_of_tls_and_http(proxy: &Proxy, paths: Paths, url: &str, folder: &Path) {
    let authority = write_authority(proxy, folder);
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert"]);
        command.arg(&authority).arg("--resolve").arg(format!("{}:{}:127.0.0.1", paths.host(), proxy.port));
        let output = command.args(more).arg(format!("{url}/livez")).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { text(output.stdout) } else { text(output.stderr) }
    };
    assert_eq!(curl(&["--http2", "--tlsv1.3"]), "2 200");
    assert_eq!(curl(&["--http1.1"]), "1.1 200");
    let refused = curl(&["--tls-max", "1.2"]);
    assert!(refused.contains("protocol version") || refused.contains("internal error"), "{refused}");
}

fn haproxy_alone(paths: Paths, port: u16, server: SocketAddr) -> Proxy {
    proxy_programs::haproxy_before(paths, port, &[server])
}

pub async fn nginx() {
    story(Paths::Root, proxy_programs::nginx).await;
}

pub async fn nginx_with_a_path() {
    story(Paths::Kept, proxy_programs::nginx).await;
}

pub async fn nginx_that_removes_the_path() {
    story(Paths::Removed, proxy_programs::nginx).await;
}

pub async fn haproxy() {
    story(Paths::Root, haproxy_alone).await;
}

pub async fn haproxy_with_a_path() {
    story(Paths::Kept, haproxy_alone).await;
}

pub async fn haproxy_that_removes_the_path() {
    story(Paths::Removed, haproxy_alone).await;
}

pub async fn haproxy_with_proxy_protocol() {
    let own = [("TRUSTED_PROXIES", PROXY_ADDRESS), ("PROXY_PROTOCOL", "on")];
    story_with(Paths::Root, proxy_programs::haproxy_with_proxy_protocol, &own).await;
}

pub async fn caddy() {
    story(Paths::Root, proxy_programs::caddy).await;
}

pub async fn caddy_with_a_path() {
    story(Paths::Kept, proxy_programs::caddy).await;
}

pub async fn caddy_that_removes_the_path() {
    story(Paths::Removed, proxy_programs::caddy).await;
}

pub async fn traefik() {
    story(Paths::Root, proxy_programs::traefik).await;
}

pub async fn traefik_with_a_path() {
    story(Paths::Kept, proxy_programs::traefik).await;
}

pub async fn traefik_that_removes_the_path() {
    story(Paths::Removed, proxy_programs::traefik).await;
}
