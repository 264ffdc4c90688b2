//! A receiver of webhooks on loopback: keeps the requests, and answers as a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it was signed.
    pub body: String,
}

impl Received {
    /// A header as text.
    ///
    /// # Panics
    /// When it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The body in JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body in JSON")
    }
}

#[derive(Debug)]
struct Inner {
    status: u16,
    headers: Vec<(&'static str, String)>,
    delay: Duration,
    received: Vec<Received>,
}

/// A running receiver.
#[derive(Clone)]
pub struct WebhookReceiver {
    /// Where it listens.
    pub port: u16,
    inner: Arc<Mutex<Inner>>,
}

impl WebhookReceiver {
    /// Starts one that accepts everything.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let inner = Inner { status: 204, headers: Vec::new(), delay: Duration::ZERO, received: Vec::new() };
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new().fallback(receive).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, inner }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Answers with a status and headers from now on, after a while.
    ///
    /// # Panics
    /// When another test thread broke it.
    pub fn answer(&self, status: u16, headers: &[(&'static str, &str)], delay: Duration) {
        let mut inner = self.inner.lock().expect("whole");
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        (inner.status, inner.headers, inner.delay) = (status, headers, delay);
    }

    /// The requests so far.
    ///
    /// # Panics
    /// When another test thread broke it.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.inner.lock().expect("whole").received.clone()
    }

    /// The requests, once there are as many.
    ///
    /// # Panics
    /// When there are fewer after ten seconds, or more.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let reached = async {
            while self.received().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
        let received = self.received();
        assert!(reached.is_ok() && received.len() == count, "{count} requests: {received:?}");
        received
    }
}

async fn receive(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, answer, delay) = {
        let mut inner = inner.lock().expect("whole");
        let body = String::from_utf8(body.to_vec()).expect("UTF-8");
        inner.received.push(Received { headers, body });
        (inner.status, inner.headers.clone(), inner.delay)
    };
    tokio::time::sleep(delay).await;
    let mut response = StatusCode::from_u16(status).expect("a status").into_response();
    for (name, value) in answer {
        response.headers_mut().insert(name, value.parse().expect("a value"));
    }
    response
}
