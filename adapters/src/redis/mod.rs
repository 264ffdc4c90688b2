//! Redis: what several instances share, and never the only copy of anything. Away, empty or restarted it changes no
//! answer: limits fall back to stricter ones of this process, workers look for work by themselves.

mod job_queue;
pub mod probe;
mod rate_limiter;
mod session_cache;

use portcullis_core::model::secret::SecretString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::network_failure::NetworkFailure;

pub use job_queue::SharedQueue;
pub use rate_limiter::SharedLimiter;
pub use session_cache::{CacheSettings, CachedSessions, SharedDatabase};

/// How long an answer may take. One request waits that long; then the circuit is open.
const TIMEOUT: Duration = Duration::from_millis(250);
/// How long Redis is not called after a call failed.
const CIRCUIT_OPEN_FOR: Duration = Duration::from_millis(1000);
/// The wait before subscribing again.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);

/// The address and credentials of Redis.
pub struct RedisSettings {
    /// `redis://…` or `rediss://…`. May carry a password.
    pub url: SecretString,
    /// The prefix of keys and channels: several deployments may share a server.
    pub prefix: String,
    /// Whether a certificate must be good.
    pub validate_certificates: bool,
    /// The certificates of the authority that signs the server's, where it is a private one.
    pub ca_file: Option<PathBuf>,
}

/// A connection that reconnects by itself, behind a circuit breaker.
pub struct Redis {
    connection: ConnectionManager,
    prefix: String,
    /// Milliseconds after `began` until which the circuit is open.
    open_until: AtomicI64,
    began: Instant,
    away: AtomicBool,
    woken: Arc<Notify>,
    listener: AbortHandle,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Redis {
    /// Prepares the connection; the server may come later.
    ///
    /// # Errors
    /// When the address cannot be read. Says no password.
    pub fn prepare(settings: &RedisSettings) -> Result<Self, String> {
        let unreadable = |error: RedisError| format!("the address cannot be read ({})", error.category());
        let client = probe::client(settings)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500))
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unreadable)?;
        let woken = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(client, channel(&settings.prefix), woken.clone())).abort_handle();
        Ok(Self {
            connection,
            prefix: settings.prefix.clone(),
            open_until: AtomicI64::new(0),
            began: Instant::now(),
            away: AtomicBool::new(false),
            woken,
            listener,
        })
    }

    /// Whether it answers now.
    ///
    /// # Errors
    /// Why not, without an address or a password.
    pub async fn health(&self) -> Result<(), String> {
        let mut connection = self.connection.clone();
        let ping = async move { redis::cmd("PING").query_async::<String>(&mut connection).await };
        match tokio::time::timeout(TIMEOUT, ping).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(probe::diagnosis(&error).cause),
            Err(_) => Err(NetworkFailure::NoAnswer.to_string()),
        }
    }

    /// Wakes the workers of every instance. Without Redis they find the jobs by polling, within a second.
    async fn wake_workers(&self) {
        let channel = channel(&self.prefix);
        let publish = async move |mut connection| {
            redis::cmd("PUBLISH").arg(channel).arg("").query_async::<i64>(&mut connection).await
        };
        let _ = self.call(publish).await;
    }

    /// Calls Redis unless the circuit is open. `None` if Redis does not answer: the caller goes on without it.
    async fn call<T>(&self, command: impl AsyncFnOnce(ConnectionManager) -> Result<T, RedisError>) -> Option<T> {
        let now = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        if now < self.open_until.load(Ordering::Relaxed) {
            return None;
        }
        let reason = match tokio::time::timeout(TIMEOUT, command(self.connection.clone())).await {
            Ok(Ok(answer)) => {
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back");
                }
                return Some(answer);
            }
            Ok(Err(error)) => probe::diagnosis(&error).cause,
            Err(_) => NetworkFailure::NoAnswer.to_string(),
        };
        let pause = i64::try_from(CIRCUIT_OPEN_FOR.as_millis()).unwrap_or(i64::MAX);
        self.open_until.store(now.saturating_add(pause), Ordering::Relaxed);
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "Redis does not answer: limits are this instance's own and stricter");
        }
        None
    }
}

fn channel(prefix: &str) -> String {
    format!("{prefix}wake")
}

/// Subscribes to the wake-up channel, as long as the process lives.
async fn listen(client: Client, channel: String, woken: Arc<Notify>) {
    loop {
        if let Ok(mut subscription) = client.get_async_pubsub().await
            && subscription.subscribe(&channel).await.is_ok()
        {
            let mut messages = subscription.on_message();
            while messages.next().await.is_some() {
                woken.notify_one();
            }
        }
        tokio::time::sleep(RESUBSCRIBE_AFTER).await;
    }
}
