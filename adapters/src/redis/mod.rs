//! Redis: what several instances share, and never the only copy of anything. Away, empty or restarted it changes no
//! answer: limits fall back to stricter ones of this process, workers look for work by themselves.

mod job_queue;
pub mod probe;
mod rate_limiter;
mod session_cache;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub use job_queue::SharedQueue;
pub use rate_limiter::SharedLimiter;
pub use session_cache::{CacheSettings, CachedSessions, SharedDatabase};

/// How long an answer may take: a request waits that long once, and then nobody does for a while.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long nothing is asked after it did not answer.
const LEFT_ALONE: Duration = Duration::from_millis(1000);
/// Between attempts to listen again.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);

/// Where Redis is.
pub struct RedisSettings {
    /// `redis://…` or `rediss://…`. May carry a password.
    pub url: String,
    /// What keys and channels begin with: deployments that share a server do not meet.
    pub prefix: String,
    /// Whether a certificate must be good.
    pub validate_certificates: bool,
    /// The certificates of the authority that signs the server's, where it is a private one.
    pub ca_file: Option<PathBuf>,
}

/// A connection that comes back by itself.
pub struct Redis {
    connection: ConnectionManager,
    prefix: String,
    /// Milliseconds after `began` until which nothing is asked.
    silent_until: AtomicI64,
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
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unreadable)?;
        let woken = Arc::new(Notify::new());
        let listener = tokio::spawn(listen(client, channel(&settings.prefix), woken.clone())).abort_handle();
        Ok(Self {
            connection,
            prefix: settings.prefix.clone(),
            silent_until: AtomicI64::new(0),
            began: Instant::now(),
            away: AtomicBool::new(false),
            woken,
            listener,
        })
    }

    /// Whether it answers now.
    pub async fn healthy(&self) -> bool {
        let mut connection = self.connection.clone();
        let ping = async move { redis::cmd("PING").query_async::<String>(&mut connection).await };
        matches!(tokio::time::timeout(PATIENCE, ping).await, Ok(Ok(_)))
    }

    /// Tells the workers of every instance that there are jobs. Without an answer they find them within a second.
    async fn wake_workers(&self) {
        let channel = channel(&self.prefix);
        let publish = async move |mut connection| {
            redis::cmd("PUBLISH").arg(channel).arg("").query_async::<i64>(&mut connection).await
        };
        let _ = self.ask(publish).await;
    }

    /// Asks, unless it has just failed to answer. `None` is "away": whoever asks does without.
    async fn ask<T>(&self, question: impl AsyncFnOnce(ConnectionManager) -> Result<T, RedisError>) -> Option<T> {
        let now = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        if now < self.silent_until.load(Ordering::Relaxed) {
            return None;
        }
        let reason = match tokio::time::timeout(PATIENCE, question(self.connection.clone())).await {
            Ok(Ok(answer)) => {
                if self.away.swap(false, Ordering::Relaxed) {
                    tracing::info!("Redis is back");
                }
                return Some(answer);
            }
            Ok(Err(error)) => probe::reason(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        let silence = i64::try_from(LEFT_ALONE.as_millis()).unwrap_or(i64::MAX);
        self.silent_until.store(now.saturating_add(silence), Ordering::Relaxed);
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "Redis is away: limits are this instance's own and stricter");
        }
        None
    }
}

fn channel(prefix: &str) -> String {
    format!("{prefix}wake")
}

/// Hears that there is work, for ever.
async fn listen(client: Client, channel: String, woken: Arc<Notify>) {
    loop {
        if let Ok(mut news) = client.get_async_pubsub().await
            && news.subscribe(&channel).await.is_ok()
        {
            let mut messages = news.on_message();
            while messages.next().await.is_some() {
                woken.notify_one();
            }
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}
