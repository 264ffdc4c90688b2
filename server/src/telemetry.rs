//! Logs: written by a thread of their own, so that no request waits for them. Nothing personal is ever put in.

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging to standard error; the logs are flushed when the guard is dropped.
///
/// # Errors
/// For a level that cannot be read.
pub fn start(log: &Log) -> Result<WorkerGuard, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("LOG_LEVEL: {error}"))?;
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    let started = match log.format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.compact().try_init(),
    };
    started.map_err(|error| error.to_string())?;
    Ok(guard)
}
