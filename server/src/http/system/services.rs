//! The health of the services. All callers share one probe a second, so that anonymous requests cost the stores nothing.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
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
        if let Some((began, services)) = *newest
            && began.elapsed() < SHARED_FOR
        {
            return services;
        }
        let began = Instant::now();
        let services = probe.await;
        *newest = Some((began, services));
        services
    }
}

/// How each service is.
#[derive(Debug, Clone, Copy)]
pub struct Services {
    pub(super) database: &'static str,
    pub(super) redis: &'static str,
    pub(super) email: &'static str,
    pub(super) sms: &'static str,
    pub(super) database_ms: f64,
}

impl Services {
    pub(super) fn database_answers(self) -> bool {
        self.database == "healthy"
    }

    pub(super) fn status(self) -> (&'static str, StatusCode) {
        if self.database == "unhealthy" {
            ("unhealthy", StatusCode::SERVICE_UNAVAILABLE)
        } else if [self.redis, self.email, self.sms].contains(&"unhealthy") {
            ("degraded", StatusCode::OK)
        } else {
            ("healthy", StatusCode::OK)
        }
    }

    pub(super) fn to_json(self) -> Value {
        json!({"database": self.database, "redis": self.redis, "email": self.email, "sms": self.sms})
    }
}
