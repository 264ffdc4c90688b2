//! Two instances behind `HAProxy` on MongoDB and Redis: each is stopped by SIGTERM and replaced while requests come in, then
//! one is killed.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use portcullis_test_services::process::free_port;
use portcullis_tests::process::Process;
use portcullis_tests::{Api, Person, on_servers};
use reqwest::{Certificate, Client, Method, Response};
use serde_json::Value;

use crate::proxy_programs::{Paths, haproxy_before, public_url};

const CLIENTS: usize = 6;
const TOKEN: &str = "dW4rP9xKf2ZtQ7mLj5VbY8nHc3GsA6eT";

/// The requests so far.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    answered: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Traffic {
    /// Counts an answer; `None` for one that is no success.
    async fn count(&self, sent: reqwest::Result<Response>) -> Option<Value> {
        let failure = match sent {
            Ok(answer) if answer.status() == 200 => match answer.json().await {
                Ok(body) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return Some(body);
                }
                Err(error) => error.to_string(),
            },
            Ok(answer) => format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
            Err(error) => format!("{error:?}"),
        };
        self.failures.lock().unwrap().push(failure);
        None
    }

    fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }
}

fn instance(folder: &Path, url: &str, port: u16) -> Process {
    let mut settings = on_servers().unwrap();
    // one database for all instances of the test
    settings.retain(|(name, _)| name != "MONGO_DB");
    let own = [
        ("MONGO_DB", format!("replaced_{}", std::process::id())),
        ("PUBLIC_URL", url.to_owned()),
        ("PORT", port.to_string()),
        ("TRUSTED_PROXIES", "127.0.0.1/32".to_owned()),
        ("SHUTDOWN_DELAY", "3s".to_owned()),
        ("OPERATOR_TOKEN", TOKEN.to_owned()),
    ];
    settings.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Process::start(folder, &settings)
}

/// A person who reads the profile and refreshes the tokens, again and again, until a request fails. Returns the newest refresh
/// token.
async fn use_account(api: Api, mut refresh: String, traffic: Arc<Traffic>) -> String {
    while !traffic.stop.load(Ordering::Relaxed) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let sent = api.request(Method::POST, "/token").form(&form).send().await;
        let Some(pair) = traffic.count(sent).await else { break };
        refresh = pair["refresh_token"].as_str().unwrap().to_owned();
        let api = api.with_token(pair["access_token"].as_str().unwrap());
        if traffic.count(api.request(Method::GET, "/").send().await).await.is_none() {
            break;
        }
    }
    refresh
}

/// Waits until an instance has answered refreshes that came through the proxy.
async fn has_traffic(instance: &Process) {
    let operator = instance.api.with_token(TOKEN);
    let began = std::time::Instant::now();
    while !operator.get("//metrics").await.text.contains("operation=\"token\"") {
        assert!(began.elapsed().as_secs() < 30, "the proxy sends nothing to {}", instance.address);
        tokio::task::yield_now().await;
    }
}

async fn stop(instance: Process) {
    tokio::task::spawn_blocking(move || instance.stop()).await.unwrap();
}

pub async fn no_request_fails_while_instances_are_replaced() {
    let (folder, (port, url)) = (tempfile::tempdir().unwrap(), public_url(Paths::Root));
    let ports = [free_port().unwrap(), free_port().unwrap()];
    let [first, second] = ports.map(|port| instance(folder.path(), &url, port));
    let proxy = haproxy_before(Paths::Root, port, &ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
    let authority = Certificate::from_pem(proxy.authority.as_bytes()).unwrap();
    let http = Client::builder().no_proxy().tls_certs_only([authority]);
    let http = http.resolve(Paths::Root.host(), SocketAddr::from(([127, 0, 0, 1], port))).build().unwrap();
    let api = Api::at(http, &url, "User1");

    let traffic = Arc::new(Traffic::default());
    let mut people = Vec::new();
    for number in 0..CLIENTS {
        let person = Person::named(&format!("p{number}@example.com"));
        first.api.verified(&person).await;
        let (_, refresh) = api.session(&person).await;
        people.push(tokio::spawn(use_account(api.clone(), refresh, traffic.clone())));
    }
    has_traffic(&first).await;
    has_traffic(&second).await;
    stop(first).await;
    let first = instance(folder.path(), &url, ports[0]);
    has_traffic(&first).await;
    stop(second).await;
    let mut second = instance(folder.path(), &url, ports[1]);
    has_traffic(&second).await;
    assert_eq!(traffic.failures(), Vec::<String>::new(), "of {} requests", traffic.answered.load(Ordering::Relaxed));

    second.kill();
    let before = traffic.answered.load(Ordering::Relaxed);
    while traffic.answered.load(Ordering::Relaxed) < before + 200 && people.iter().any(|person| !person.is_finished()) {
        tokio::task::yield_now().await;
    }
    traffic.stop.store(true, Ordering::Relaxed);
    // requests in flight on the killed instance have no answer; every other one has
    let failures = traffic.failures();
    assert!(
        failures.iter().all(|failure| failure.starts_with("502") || failure.starts_with("reqwest::Error")),
        "{failures:?}"
    );
    for person in people {
        is_still_logged_in(&first.api, &person.await.unwrap()).await;
    }
}

/// Refreshes the tokens. `MongoDB` keeps the transaction of a killed instance for a minute, and with it the lock on the session
/// that it changed: until then the answer is 503 with `Retry-After`.
async fn is_still_logged_in(api: &Api, refresh: &str) {
    let began = std::time::Instant::now();
    loop {
        let answer = api.refresh(refresh).await;
        if answer.status == 200 {
            return;
        }
        assert_eq!(answer.code(), "unavailable", "{}", answer.text);
        assert!(began.elapsed().as_secs() < 90, "the session stays locked");
        tokio::task::yield_now().await;
    }
}
