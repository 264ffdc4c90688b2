//! Health and metrics: for people on call, load balancers and orchestrators.

pub mod process;
pub mod services;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::app::App;
use crate::http::auth::Operator;
use crate::http::endpoint::HandlerResult;
use crate::http::metric_names::{BUILD_INFO, HASH_QUEUE};
use crate::http::openapi::operation::{Operation, ok, text};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::response::{json, with_type};
use crate::http::system::services::{Health, Services};

const DAY: u64 = 86_400;
/// How long a health check waits for a service.
const TIMEOUT: Duration = Duration::from_millis(800);
/// The one cause in a public answer: it names no server.
const DISK_FULL: &str = "the disk is full";

/// Asks every service.
async fn probe(app: &App) -> Services {
    let ports = &app.service.ports;
    let began = Instant::now();
    let redis = async { Some(app.redis.as_ref()?.health().await) };
    let database = async { Some(ports.users.ping().await.map_err(|error| error.source.to_string())) };
    let (database, redis, email, sms) = tokio::join!(
        in_time(database),
        in_time(redis),
        in_time(ports.mailer.health()),
        in_time(ports.sms_sender.health()),
    );
    Services { database, redis, email, sms, database_ms: milliseconds(began) }
}

async fn in_time(answer: impl Future<Output = Option<Result<(), String>>>) -> Health {
    let answer = tokio::time::timeout(TIMEOUT, answer).await;
    Health::of(answer.unwrap_or_else(|_| Some(Err("no answer in time".to_owned()))))
}

fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}

/// What `/health` says, and more is added to for operators.
async fn report(app: &App) -> (StatusCode, Map<String, Value>, Services) {
    let began = Instant::now();
    let services = app.health.services(probe(app)).await;
    let (status, code) = services.status();
    let (memory, cpu) = app.process.read();
    let mut body = Map::new();
    body.insert("status".to_owned(), json!(status));
    body.insert("timestamp".to_owned(), json!(rfc3339(app.service.ports.clock.now())));
    body.insert("services".to_owned(), services.to_json());
    let performance = json!({
        "response_time_ms": milliseconds(began),
        "memory_usage_mb": (memory * 10.0).round() / 10.0,
        "cpu_usage_percent": (f64::from(cpu) * 10.0).round() / 10.0,
    });
    body.insert("performance".to_owned(), performance);
    (code, body, services)
}

/// The schemas of the group.
pub(super) fn schemas() -> Value {
    let service = || json!({"type": "string", "enum": ["healthy", "degraded", "unhealthy", "disabled"]});
    let health = json!({
        "status": {"type": "string", "enum": ["healthy", "degraded", "unhealthy"]}, "timestamp": schemas::time(),
        "services": schemas::object(&["database", "redis", "email", "sms"], json!({"database": service(), "redis": service(), "email": service(), "sms": service()})),
        "performance": schemas::object(&["response_time_ms", "memory_usage_mb", "cpu_usage_percent"], json!({
            "response_time_ms": {"type": "number"}, "memory_usage_mb": {"type": "number"}, "cpu_usage_percent": {"type": "number"},
        })),
    });
    let mut detailed = health.clone();
    if let Some(members) = detailed.as_object_mut() {
        members.insert("details".to_owned(), json!({"type": "object"}));
    }
    let required = ["status", "timestamp", "services", "performance"];
    json!({
        "Health": schemas::object(&required, health),
        "DetailedHealth": schemas::object(&[&required[..], &["details"]].concat(), detailed),
    })
}

pub(super) static HEALTH: Operation = Operation::new(
    "Health",
    "An unavailable cache, mail or SMS server is `degraded` and 200; an unavailable database is \
     503.",
    &[ok(200, "The server is healthy or degraded.", "Health"), ok(503, "The database is unavailable.", "Health")],
);

pub(super) async fn health(State(app): State<Arc<App>>) -> HandlerResult {
    let (status, body, _) = report(&app).await;
    Ok(json(status, &Value::Object(body)))
}

pub(super) static DETAILED: Operation = Operation::new(
    "Health, for operators",
    "The same with versions, latencies, queue depth, key ids, migration state, the floors that `ALLOW_UNSAFE` lifts, and \
     proxies that are missing in `TRUSTED_PROXIES`.",
    &[
        ok(200, "The server is healthy or degraded.", "DetailedHealth"),
        ok(503, "The database is unavailable.", "DetailedHealth"),
    ],
);

/// `GET /health/detailed`, for operators.
pub(super) async fn detailed(State(app): State<Arc<App>>, _: Operator) -> HandlerResult {
    let (status, mut body, services) = report(&app).await;
    let depth = tokio::time::timeout(TIMEOUT, app.service.ports.jobs.depth()).await.ok().and_then(Result::ok);
    let details = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "environment": app.about.environment,
        "uptime_seconds": app.started.elapsed().as_secs(),
        "realms": app.realms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "latencies_ms": {"database": services.database_ms},
        "causes": services.causes(),
        "allowed_unsafe": app.about.allowed_unsafe,
        "unlisted_proxies": app.unlisted_proxies.first().map(|first| {
            let requests = app.unlisted_proxies.requests();
            json!({"peer": first.peer, "private": first.private, "first_seen": rfc3339(first.at), "requests": requests})
        }),
        "queue": depth.map(|depth| json!({"waiting": depth.waiting, "dead": depth.dead})),
        "keys": {
            "encrypting": app.about.key_ids.first(),
            "decrypting": app.about.key_ids,
            "age_days": key_ages(&app).map(|(name, age)| (name, age.as_secs() / DAY)).collect::<BTreeMap<_, _>>(),
        },
        "migrations": {"store": app.about.database, "schema_version": app.about.schema_version, "pending": 0},
    });
    body.insert("details".to_owned(), details);
    Ok(json(status, &Value::Object(body)))
}

/// How long each key has been in use.
pub fn key_ages(app: &App) -> impl Iterator<Item = (&'static str, Duration)> {
    let now = app.service.ports.clock.now();
    app.about.key_ages.iter().map(move |key| (key.setting, now.since(key.since)))
}

pub(super) static LIVEZ: Operation =
    Operation::new("Alive", "The process answers.", &[text(200, "It answers.", "text/plain")]);

/// `GET /livez`: the process answers.
pub(super) async fn livez() -> HandlerResult {
    Ok(plain(StatusCode::OK, "ok\n"))
}

pub(super) static READYZ: Operation = Operation::new(
    "Ready",
    "The server can handle requests.",
    &[
        text(200, "It is ready.", "text/plain"),
        text(503, "The database is unavailable, or the server is about to stop.", "text/plain"),
    ],
);

/// `GET /readyz`: it can serve.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> HandlerResult {
    if app.draining.load(Ordering::Relaxed) {
        return Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "the server is about to stop\n"));
    }
    match app.health.services(probe(&app)).await.database.cause() {
        None => Ok(plain(StatusCode::OK, "ok\n")),
        Some(DISK_FULL) => {
            Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable: the disk is full\n"))
        }
        Some(_) => Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable\n")),
    }
}

pub(super) static METRICS: Operation =
    Operation::new("Metrics", "Prometheus text.", &[text(200, "The metrics.", "text/plain")]);

/// `GET /metrics`, for operators.
pub(super) async fn metrics(State(app): State<Arc<App>>, _: Operator) -> HandlerResult {
    if let Ok(depth) = app.service.ports.jobs.depth().await {
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        app.measured(|| {
            ::metrics::gauge!("portcullis_jobs", "state" => "waiting").set(depth.waiting as f64);
            ::metrics::gauge!("portcullis_jobs", "state" => "dead").set(depth.dead as f64);
        });
    }
    app.measured(|| {
        for (name, count) in &app.counts {
            ::metrics::counter!(*name).absolute(count.load(Ordering::Relaxed));
        }
        ::metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "database" => app.about.database)
            .set(1.0);
        for setting in &app.about.allowed_unsafe {
            ::metrics::gauge!("portcullis_unsafe_setting", "setting" => *setting).set(1.0);
        }
        for (setting, age) in key_ages(&app) {
            ::metrics::gauge!("portcullis_key_age_seconds", "setting" => setting).set(age.as_secs_f64());
        }
    });
    let waiting = u32::try_from((app.hashes_waiting)()).unwrap_or(u32::MAX);
    app.measured(|| ::metrics::gauge!(HASH_QUEUE).set(waiting));
    let (memory, _) = app.process.read();
    app.measured(|| ::metrics::gauge!("process_resident_memory_bytes").set(memory * 1_048_576.0));
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics.render()))
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    with_type(status, "text/plain; charset=utf-8", text)
}
