//! A stand-in for Twilio's HTTP interface: `Messages.json`, `Calls.json` and the account, with basic authentication. It
//! can be made to refuse.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;

/// The account's SID.
pub const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// Its token.
pub const TOKEN: &str = "7d3f91c2b8e64a05a1f2c3d4e5b6a798";

/// An answer that is not a success.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Twilio's code.
    pub code: u64,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// `Messages.json` or `Calls.json`.
    pub resource: String,
    /// The form.
    pub form: HashMap<String, String>,
}

#[derive(Default)]
struct Inner {
    refusals: VecDeque<Refusal>,
    taken: Vec<Taken>,
    asked: usize,
}

/// A running stub.
#[derive(Clone)]
pub struct TwilioStub {
    /// Where it is.
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

impl TwilioStub {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Mutex::new(Inner::default()));
        let path = "/2010-04-01/Accounts/{account}/{resource}";
        let router = Router::new().route(path, post(take));
        let account = format!("/2010-04-01/Accounts/{ACCOUNT}.json");
        let router = router.route(&account, get(show)).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// The settings of a server that sends by it.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 4] {
        [
            ("TWILIO_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_NUMBER", "+15550001111"),
            ("TWILIO_BASE_URL", &self.url),
        ]
    }

    /// Refuses the next message.
    ///
    /// # Panics
    /// When another test thread broke it.
    pub fn refuse(&self, refusal: Refusal) {
        self.inner.lock().expect("whole").refusals.push_back(refusal);
    }

    /// The messages and calls that it accepted, and the number of requests.
    ///
    /// # Panics
    /// When another test thread broke it.
    #[must_use]
    pub fn seen(&self) -> (Vec<Taken>, usize) {
        let inner = self.inner.lock().expect("whole");
        (inner.taken.clone(), inner.asked)
    }
}

/// Whether these are the account's credentials.
fn known(headers: &HeaderMap) -> bool {
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    headers.get("authorization").is_some_and(|given| *given == format!("Basic {expected}"))
}

async fn show(headers: HeaderMap) -> StatusCode {
    if known(&headers) { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

async fn take(
    State(inner): State<Arc<Mutex<Inner>>>,
    Path((account, resource)): Path<(String, String)>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut inner = inner.lock().expect("whole");
    inner.asked += 1;
    if account != ACCOUNT || !known(&headers) {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({"code": 20003, "status": 401}))).into_response();
    }
    if let Some(Refusal { status, code, retry_after }) = inner.refusals.pop_front() {
        // as Twilio does, the words repeat the number
        let message = format!("refused: {}", form.get("To").cloned().unwrap_or_default());
        let body = axum::Json(json!({"code": code, "message": message, "status": status}));
        let mut response = (StatusCode::from_u16(status).expect("a status"), body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        return response;
    }
    inner.taken.push(Taken { resource, form });
    (StatusCode::CREATED, axum::Json(json!({"sid": "SM0", "status": "queued"}))).into_response()
}
