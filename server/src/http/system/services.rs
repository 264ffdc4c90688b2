//! The health of the services. All callers share one probe a second, so that anonymous requests cost the stores nothing.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// How long the answers of a probe are used, from its begin.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The answers of the newest probe.
#[derive(Default)]
pub struct SharedHealth(Mutex<Option<(Instant, Services)>>);

impl SharedHealth {
    /// How the services are, or were less than a second ago. Callers that come during a probe wait for its answers.
    pub(super) async fn services(&self, probe: impl Future<Output = Services>) -> Services {
        let mut newest = self.0.lock().await;
        if let Some((began, services)) = &*newest
            && began.elapsed() < SHARED_FOR
        {
            return services.clone();
        }
        let began = Instant::now();
        let services = probe.await;
        log_changes(newest.as_ref().map(|(_, before)| before), &services);
        *newest = Some((began, services.clone()));
        services
    }
}

/// Logs a service that has failed or recovered since the probe before, once.
fn log_changes(before: Option<&Services>, now: &Services) {
    for (name, health) in now.named() {
        let was_wrong =
            before.is_some_and(|before| before.named().iter().any(|(n, h)| *n == name && h.cause().is_some()));
        match health.cause() {
            Some(cause) if !was_wrong => tracing::warn!(service = name, cause, "a service is unhealthy"),
            None if was_wrong => tracing::info!(service = name, "a service is healthy again"),
            _ => {}
        }
    }
}

/// The health of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is not set.
    Disabled,
    /// It can be used.
    Healthy,
    /// It can't be used, for this cause.
    Unhealthy(String),
}

impl Health {
    /// From the answer of a port, `None` for no service.
    pub(super) fn of(answer: Option<Result<(), String>>) -> Self {
        match answer {
            None => Self::Disabled,
            Some(Ok(())) => Self::Healthy,
            Some(Err(cause)) => Self::Unhealthy(cause),
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
        }
    }

    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unhealthy(cause) => Some(cause),
            Self::Disabled | Self::Healthy => None,
        }
    }
}

/// How each service is.
#[derive(Debug, Clone)]
pub struct Services {
    pub(super) database: Health,
    pub(super) redis: Health,
    pub(super) email: Health,
    pub(super) sms: Health,
    pub(super) database_ms: f64,
}

impl Services {
    const fn named(&self) -> [(&'static str, &Health); 4] {
        [("database", &self.database), ("redis", &self.redis), ("email", &self.email), ("sms", &self.sms)]
    }

    pub(super) fn status(&self) -> (&'static str, StatusCode) {
        if self.database.cause().is_some() {
            ("unhealthy", StatusCode::SERVICE_UNAVAILABLE)
        } else if self.named().iter().any(|(_, health)| health.cause().is_some()) {
            ("degraded", StatusCode::OK)
        } else {
            ("healthy", StatusCode::OK)
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let words = self.named().map(|(name, health)| (name.to_owned(), json!(health.word())));
        Value::Object(Map::from_iter(words))
    }

    /// The causes by service, for operators.
    pub(super) fn causes(&self) -> Value {
        let causes =
            self.named().into_iter().filter_map(|(name, health)| Some((name.to_owned(), json!(health.cause()?))));
        Value::Object(causes.collect())
    }
}
