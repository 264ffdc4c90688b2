//! The health of the services. All callers share one probe a second, so that anonymous requests cost the stores nothing.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::http::app::App;
use crate::http::system::{TIMEOUT, milliseconds};

/// How long the answers of a probe are used, from its begin.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// The answers of the newest probe.
#[derive(Default)]
pub struct SharedHealth(Mutex<Option<(Instant, Services)>>);

impl SharedHealth {
    /// How the services are, or were less than a second ago. Callers that come during a probe wait for its answers.
    pub(super) async fn services(&self, app: &App) -> Services {
        let mut newest = self.0.lock().await;
        if let Some((began, services)) = *newest
            && began.elapsed() < SHARED_FOR
        {
            return services;
        }
        let began = Instant::now();
        let services = Services::check(app).await;
        *newest = Some((began, services));
        services
    }
}

/// How each service is.
#[derive(Debug, Clone, Copy)]
pub struct Services {
    database: &'static str,
    redis: &'static str,
    email: &'static str,
    sms: &'static str,
    pub(super) database_ms: f64,
}

impl Services {
    async fn check(app: &App) -> Self {
        let ports = &app.service.ports;
        let began = Instant::now();
        let redis = async {
            let redis = app.redis.as_ref()?;
            Some(tokio::time::timeout(TIMEOUT, redis.healthy()).await.unwrap_or(false))
        };
        let (redis, database, email, sms) = tokio::join!(
            redis,
            tokio::time::timeout(TIMEOUT, ports.users.ping()),
            tokio::time::timeout(TIMEOUT, ports.mailer.healthy()),
            tokio::time::timeout(TIMEOUT, ports.sms_sender.healthy()),
        );
        let state = |answer: Result<Option<bool>, _>| match answer {
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
            email: state(email),
            sms: state(sms),
            database_ms: milliseconds(began),
        }
    }

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
