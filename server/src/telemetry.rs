//! Logging to standard error through `tracing_appender`'s writer thread. No personal value is logged.

use std::io::BufWriter;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging to standard error; dropping the guard flushes the log.
///
/// When the reader of standard error is slow, lines are dropped; a request never waits for the log.
///
/// # Errors
/// If the level can't be parsed, or logging was started before.
pub fn start(log: &Log) -> Result<WorkerGuard, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("LOG_LEVEL: {error}"))?;
    // the writer thread flushes when no more lines wait, so a buffer saves system calls and delays nothing
    let (writer, guard) = tracing_appender::non_blocking(BufWriter::new(std::io::stderr()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.compact().try_init(),
    };
    started.map_err(|error| error.to_string())?;
    Ok(guard)
}
