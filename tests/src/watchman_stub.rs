//! A stand-in for Watchman: takes events at `POST /logger/log`, and can be made to refuse.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

/// The key of its interface.
pub const KEY: &str = "wk-5f0c7d21b9e84a63";

#[derive(Default)]
struct Inner {
    refusing: usize,
    events: Vec<Value>,
    asked: usize,
}

/// A running stub.
#[derive(Clone)]
pub struct WatchmanStub {
    /// Where it is.
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

impl WatchmanStub {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Mutex::new(Inner::default()));
        let router = Router::new().route("/logger/log", post(take)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Refuses so many.
    ///
    /// # Panics
    /// When another test thread broke it.
    pub fn refuse(&self, count: usize) {
        self.inner.lock().expect("whole").refusing = count;
    }

    /// The events that it accepted, and the number of requests.
    ///
    /// # Panics
    /// When another test thread broke it.
    #[must_use]
    pub fn seen(&self) -> (Vec<Value>, usize) {
        let inner = self.inner.lock().expect("whole");
        (inner.events.clone(), inner.asked)
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, Json(event): Json<Value>) -> StatusCode {
    let mut inner = inner.lock().expect("whole");
    inner.asked += 1;
    if headers.get("watchman-api-key").is_none_or(|key| key != KEY) {
        return StatusCode::UNAUTHORIZED;
    }
    if inner.refusing > 0 {
        inner.refusing -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    inner.events.push(event);
    StatusCode::OK
}
