//! Bodies and headers of requests, sent to a running server.

use std::sync::{Mutex, OnceLock, PoisonError};

use http::{HeaderName, HeaderValue};
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::{Method, RequestBuilder};
use tokio::runtime::Runtime;

/// A server with its runtime, a client without a login, and one that is logged in.
struct FuzzServer {
    runtime: Runtime,
    _server: TestServer,
    stranger: Api,
    person: Api,
}

fn fuzz_server() -> &'static Mutex<FuzzServer> {
    static SERVER: OnceLock<Mutex<FuzzServer>> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let (server, stranger, person) = runtime.block_on(async {
            let server = TestServer::start().await;
            let stranger = server.realm("User1");
            let (person, _) = stranger.logged_in(&Person::john()).await;
            (server, stranger, person)
        });
        Mutex::new(FuzzServer { runtime, _server: server, stranger, person })
    })
}

impl FuzzServer {
    /// A request to a path, as the person or as the stranger.
    fn request(&self, (method, path, as_person): &FuzzPath) -> RequestBuilder {
        let api = if *as_person { &self.person } else { &self.stranger };
        api.request(method.clone(), path)
    }

    fn send(&self, request: RequestBuilder) -> Answer {
        self.runtime.block_on(self.stranger.send(request))
    }
}

/// A method, a path, and whether the person who is logged in sends the request.
type FuzzPath = (Method, &'static str, bool);

/// Sends a body to a path. No answer is a server's fault, and every refusal has a code.
fn send(media_type: &str, to: &FuzzPath, body: &[u8]) {
    let world = fuzz_server().lock().unwrap_or_else(PoisonError::into_inner);
    let request = world.request(to).header("content-type", media_type);
    let request = request.header("accept", "application/json").body(body.to_vec());
    let (Answer { status, text, .. }, (method, path, _)) = (world.send(request), to);
    assert!(!status.is_server_error(), "{method} {path}: {status} {text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let refused = status.is_client_error();
    assert!(!refused || answer["code"].is_string() && answer["request_id"].is_string(), "{method} {path}: {text}");
}

/// The path of an input: its first byte chooses it, so that each gets its share. And the rest of the input.
fn chosen<'a>(paths: &'a [FuzzPath], data: &'a [u8]) -> (&'a FuzzPath, &'a [u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    (&paths[usize::from(*first) % paths.len()], rest)
}

/// A JSON body for one of the endpoints that take JSON.
pub fn json_body(data: &[u8]) {
    let paths = [
        (Method::POST, "/create", false),
        (Method::POST, "/verify", false),
        (Method::POST, "/resend_verification", false),
        (Method::POST, "/otp_phone", false),
        (Method::POST, "/verify_otp_phone", false),
        (Method::POST, "/forget_password", false),
        (Method::POST, "/reset_password", false),
        (Method::POST, "/login/mfa", false),
        (Method::PATCH, "/update", true),
        (Method::PUT, "/mfa", true),
        (Method::POST, "/undo", false),
        (Method::POST, "/login/passkey", false),
        (Method::POST, "/step_up", true),
        (Method::PUT, "/mfa/totp", true),
        (Method::POST, "/passkeys", true),
        (Method::POST, "/change_password", true),
    ];
    let (path, body) = chosen(&paths, data);
    send("application/json", path, body);
}

/// A form for one of the endpoints that take forms.
pub fn form_body(data: &[u8]) {
    let paths = [
        (Method::POST, "/login", false),
        (Method::POST, "/token", false),
        (Method::POST, "/login/mfa", false),
        (Method::POST, "/verify", false),
        (Method::POST, "/reset_password", false),
        (Method::POST, "/revoke", false),
    ];
    let (path, body) = chosen(&paths, data);
    send("application/x-www-form-urlencoded", path, body);
}

/// Lines of `name: value`, as headers of a request for a page, a profile or a refresh.
pub fn headers(data: &[u8]) {
    let paths = [
        (Method::GET, "/verify?token=x", false),
        (Method::GET, "/", true),
        (Method::PUT, "/update", true),
        (Method::POST, "/token", false),
        (Method::GET, "/nowhere", false),
    ];
    let (path, lines) = chosen(&paths, data);
    let world = fuzz_server().lock().unwrap_or_else(PoisonError::into_inner);
    let mut request = world.request(path);
    for line in String::from_utf8_lossy(lines).lines().take(16) {
        let (name, value) = line.split_once(": ").unwrap_or(("accept-language", line));
        // the client itself writes these
        let is_framing = ["content-length", "transfer-encoding", "connection", "upgrade", "te", "expect", "host"];
        let (name, value) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()));
        if let (Ok(name), Ok(value)) = (name, value)
            && !is_framing.contains(&name.as_str())
        {
            request = request.header(name, value);
        }
    }
    let (Answer { status, text, headers, .. }, (method, path, _)) = (world.send(request), path);
    assert!(!status.is_server_error(), "{method} {path}: {status} {text}");
    assert!(headers.contains_key("x-request-id"), "{method} {path}: {headers:?}");
    let media_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = media_type.starts_with("text/html");
    let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
    assert!(is_page || text.is_empty() || is_json, "{method} {path}: {media_type} {text}");
}
