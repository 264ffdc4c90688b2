//! Traces by OTLP: a collector that decodes the protobuf of a server's exports.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use portcullis_test_services::process::free_port;
use portcullis_tests::api::token_of;
use portcullis_tests::process::Process;
use portcullis_tests::{Api, Person};
use prost::Message as _;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const AGENT: &str = "Curious-Browser/7.3";

type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// A collector: takes what is exported to it.
struct Collector {
    address: SocketAddr,
    bodies: Bodies,
}

impl Collector {
    async fn start() -> Self {
        let bodies = Bodies::default();
        let take = async |State(bodies): State<Bodies>, body: Bytes| bodies.lock().unwrap().push(body.to_vec());
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(bodies.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, bodies }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().concat()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| {
            assert!(format!("{:?}", resource.resource).contains("portcullis"), "the service has no name");
            resource.scope_spans
        });
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn settings(endpoint: &str, trusted: &str) -> Vec<(String, String)> {
    let own = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("TRUSTED_PROXIES", trusted),
        ("LOG_FORMAT", "json"),
        ("DEV_MAILBOX", "any"),
        ("LOG_LEVEL", "trace"),
    ];
    own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// A client behind a proxy that traces its requests.
fn caller(server: &Process, flags: &str) -> Api {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("traceparent", format!("00-{TRACE}-{PARENT}-{flags}")),
        ("x-forwarded-for", "203.0.113.99".to_owned()),
        ("user-agent", AGENT.to_owned()),
    ] {
        headers.insert(name, HeaderValue::from_str(&value).unwrap());
    }
    let client = Client::builder().no_proxy().default_headers(headers).build().unwrap();
    Api::at(client, &format!("http://{}", server.address), "User1")
}

async fn stop(server: Process) {
    let code = tokio::task::spawn_blocking(move || server.exit_code()).await.unwrap();
    assert_eq!(code, Some(0));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The names of a span's ancestors, nearest first. The last is a span that is not exported, by its id.
fn ancestors(span: &Span, all: &[Span]) -> Vec<String> {
    let by_id: HashMap<&[u8], &Span> = all.iter().map(|span| (span.span_id.as_slice(), span)).collect();
    let (mut names, mut span) = (Vec::new(), span);
    while !span.parent_span_id.is_empty() {
        let Some(parent) = by_id.get(span.parent_span_id.as_slice()) else {
            names.push(hex(&span.parent_span_id));
            break;
        };
        names.push(parent.name.clone());
        span = parent;
    }
    names
}

fn named<'a>(name: &str, all: &'a [Span]) -> &'a Span {
    all.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}: {all:#?}"))
}

pub async fn a_trace_spans_request_use_case_store_hash_job_and_message() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let endpoint = format!("http://{}/", collector.address);
    let server = Process::start(folder.path(), &settings(&endpoint, "127.0.0.1/32"));
    let (api, person) = (caller(&server, "01"), Person::john());
    let _ = api.post("/create", &person.form).await.expect(201);
    let mail = server.api.mail("mail_email_verify", &person.email).await;
    let _ = server.api.post("/verify", &json!({"token": token_of(&mail)})).await.expect(200);
    let login = api.login(&person.email, &person.password).await.expect(200);
    let _ = api.login(&person.email, "Wrong-Passw0rd").await.expect(401);
    let _ = server.api.get("//livez").await.expect(200);
    stop(server).await;

    let spans = collector.spans();
    let of_caller: Vec<Span> = spans.iter().filter(|span| hex(&span.trace_id) == TRACE).cloned().collect();
    assert_eq!(ancestors(named("create", &of_caller), &of_caller), [PARENT]);
    let commit = of_caller
        .iter()
        .find(|span| span.name == "commit" && ancestors(span, &of_caller).contains(&"create".to_owned()));
    assert_eq!(ancestors(commit.expect("a commit"), &of_caller)[..2], ["use case create", "create"]);
    let hash =
        of_caller.iter().find(|span| span.name == "hash" && ancestors(span, &of_caller).contains(&"login".to_owned()));
    assert_eq!(ancestors(hash.expect("a hash"), &of_caller), ["use case login", "login", PARENT]);
    // the job is in the trace of the request that ordered it
    let message = ancestors(named("send email", &of_caller), &of_caller);
    assert_eq!(message, ["job verify_registration", "commit", "use case create", "create", PARENT]);
    let refused = of_caller
        .iter()
        .filter(|span| span.name == "login")
        .find(|span| format!("{span:?}").contains("invalid_credentials"));
    assert!(refused.is_some(), "{of_caller:#?}");
    // requests without a caller begin a trace; polls and health checks are none
    assert!(hex(&named("verify", &spans).trace_id) != TRACE && named("verify", &spans).parent_span_id.is_empty());
    let roots: Vec<&str> = spans.iter().filter(|span| span.parent_span_id.is_empty()).map(|span| &*span.name).collect();
    assert!(roots.iter().all(|root| !["job_queue", "livez", "job_queue", "database"].contains(root)), "{roots:?}");
    let events: usize = spans.iter().map(|span| span.events.len()).sum();
    assert_eq!(events, 0, "a line of the log is exported");
    holds_nothing_of(&collector, &person, &login.json());
}

/// No personal value, id of a person or token is in the exported bytes.
fn holds_nothing_of(collector: &Collector, person: &Person, login: &Value) {
    let exported = String::from_utf8_lossy(&collector.bytes()).to_lowercase();
    assert!(exported.contains("user1"), "the search finds nothing");
    let form = person.form.as_object().unwrap().values().filter_map(Value::as_str);
    let tokens = login.as_object().unwrap().values().filter_map(Value::as_str).filter(|text| text.len() > 10);
    let parts = ["203.0.113.99", "127.0.0.1", AGENT, "wrong-passw0rd", "user_id", "token=", "/user1/"];
    for secret in form.chain(tokens).chain(parts).filter(|text| text.len() > 3) {
        assert!(!exported.contains(&secret.to_lowercase()), "{secret} is exported");
    }
}

pub async fn a_caller_decides_whether_its_trace_is_recorded_if_it_is_trusted() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let endpoint = format!("http://{}", collector.address);
    let server = Process::start(folder.path(), &settings(&endpoint, "127.0.0.1/32"));
    let _ = caller(&server, "00").post("/create", &Person::john().form).await.expect(201);
    stop(server).await;
    assert_eq!(collector.spans().iter().filter(|span| hex(&span.trace_id) == TRACE).count(), 0);

    let server = Process::start(folder.path(), &settings(&endpoint, "192.0.2.1/32"));
    let _ = caller(&server, "01").post("/forget_password", &json!({"email": "nobody@example.com"})).await;
    stop(server).await;
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "forget_password"), "{spans:#?}");
    assert_eq!(spans.iter().filter(|span| hex(&span.trace_id) == TRACE).count(), 0, "a stranger has chosen a trace");
}

pub async fn without_a_collector_requests_are_answered_and_the_log_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("http://127.0.0.1:{}", free_port().unwrap());
    let (server, log) = Process::start_with_log(folder.path(), &settings(&endpoint, "127.0.0.1/32"));
    let read = std::thread::spawn(move || log.map_while(Result::ok).collect::<Vec<_>>());
    let _ = caller(&server, "01").post("/create", &Person::john().form).await.expect(201);
    stop(server).await;
    let lines = read.join().unwrap();
    let requests: Vec<&String> = lines.iter().filter(|line| line.contains("\"operation\":\"create\"")).collect();
    assert!(requests.iter().any(|line| line.contains(TRACE)), "{requests:?}");
    assert!(lines.iter().any(|line| line.contains("Export") && line.contains("opentelemetry")), "{lines:#?}");
}
