//! Health and metrics: for people on call, load balancers and orchestrators.

pub mod process;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::http::app::App;
use crate::http::context::{Context, json, with_type};
use crate::http::endpoint::Answer;
use crate::http::pages::rfc3339;

const DAY: u64 = 86_400;
/// Health never waits longer for anything.
const PATIENCE: Duration = Duration::from_millis(800);

/// How each service is.
struct Services {
    database: &'static str,
    redis: &'static str,
    email: &'static str,
    sms: &'static str,
    database_ms: f64,
}

impl Services {
    async fn look(app: &App) -> Self {
        let ports = &app.service.ports;
        let began = Instant::now();
        let redis = async {
            match &app.redis {
                Some(redis) => Some(redis.healthy().await),
                None => None,
            }
        };
        let (redis, database, email, sms) = tokio::join!(
            redis,
            tokio::time::timeout(PATIENCE, ports.users.ping()),
            tokio::time::timeout(PATIENCE, ports.mailer.healthy()),
            tokio::time::timeout(PATIENCE, ports.texter.healthy()),
        );
        let told = |answer: Result<Option<bool>, _>| match answer {
            Ok(None) => "disabled",
            Ok(Some(true)) => "healthy",
            Ok(Some(false)) | Err(_) => "unhealthy",
        };
        Self {
            database: if matches!(database, Ok(Ok(()))) { "healthy" } else { "unhealthy" },
            redis: match &redis {
                None => "disabled",
                Some(true) => "healthy",
                Some(false) => "unhealthy",
            },
            email: told(email),
            sms: told(sms),
            database_ms: milliseconds(began),
        }
    }

    fn status(&self) -> (&'static str, StatusCode) {
        if self.database == "unhealthy" {
            ("unhealthy", StatusCode::SERVICE_UNAVAILABLE)
        } else if [self.redis, self.email, self.sms].contains(&"unhealthy") {
            ("degraded", StatusCode::OK)
        } else {
            ("healthy", StatusCode::OK)
        }
    }

    fn to_json(&self) -> Value {
        json!({"database": self.database, "redis": self.redis, "email": self.email, "sms": self.sms})
    }
}

fn milliseconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}

/// What `/health` says, and more is added to for operators.
async fn report(app: &App) -> (StatusCode, Map<String, Value>, Services) {
    let began = Instant::now();
    let services = Services::look(app).await;
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

/// `GET /health`.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn health(context: Context) -> Answer {
    let (status, body, _) = report(&context.app).await;
    Ok(json(status, &Value::Object(body)))
}

/// `GET /health/detailed`, for operators.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn detailed(context: Context) -> Answer {
    let app = &context.app;
    let (status, mut body, services) = report(app).await;
    let depth = tokio::time::timeout(PATIENCE, app.service.ports.jobs.depth()).await.ok().and_then(Result::ok);
    let details = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "environment": app.about.environment,
        "uptime_seconds": app.started.elapsed().as_secs(),
        "realms": app.realms.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "latencies_ms": {"database": services.database_ms},
        "queue": depth.map(|depth| json!({"waiting": depth.waiting, "dead": depth.dead})),
        "keys": {
            "encrypting": app.about.key_ids.first(),
            "decrypting": app.about.key_ids,
            "age_days": key_ages(app).map(|(name, age)| (name, age.as_secs() / DAY)).collect::<BTreeMap<_, _>>(),
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

/// `GET /livez`: the process answers.
///
/// # Errors
/// None.
pub async fn livez(_: Context) -> Answer {
    Ok(plain(StatusCode::OK, "ok\n"))
}

/// `GET /readyz`: it can serve.
///
/// # Errors
/// None.
pub async fn readyz(context: Context) -> Answer {
    let ready = tokio::time::timeout(PATIENCE, context.service().ports.users.ping()).await;
    Ok(match ready {
        Ok(Ok(())) => plain(StatusCode::OK, "ok\n"),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "the database is away\n"),
    })
}

/// `GET /metrics`, for operators.
///
/// # Errors
/// None.
pub async fn metrics(context: Context) -> Answer {
    let app = &context.app;
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
        for (setting, age) in key_ages(app) {
            ::metrics::gauge!("portcullis_key_age_seconds", "setting" => setting).set(age.as_secs_f64());
        }
    });
    let (memory, _) = app.process.read();
    app.measured(|| ::metrics::gauge!("process_resident_memory_bytes").set(memory * 1_048_576.0));
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics.render()))
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    with_type(status, "text/plain; charset=utf-8", text)
}
