//! Logging to standard error through `tracing_appender`'s writer thread, and the export of traces. No personal value is in
//! either.

use std::io::BufWriter;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use portcullis_adapters::trace_spans::TARGET;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::config::{Log, LogFormat};
use crate::traces;

/// Running telemetry: dropping it flushes the log and exports the last spans.
pub struct Telemetry {
    _log: WorkerGuard,
    traces: Option<SdkTracerProvider>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.traces
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!("the last spans were not exported: {error}");
        }
    }
}

/// Starts logging to standard error, and the export of traces if the settings name a collector.
///
/// When the reader of standard error is slow, lines are dropped; a request never waits for the log, nor for the collector.
///
/// # Errors
/// If the level or the collector's URL can't be parsed, or logging was started before.
pub fn start(log: &Log) -> Result<Telemetry, String> {
    let filter = EnvFilter::try_new(&log.level).map_err(|error| format!("LOG_LEVEL: {error}"))?;
    let no_spans = format!("{TARGET}=off").parse().map_err(|error| format!("LOG_LEVEL: {error}"))?;
    // the log has spans of its own
    let filter = filter.add_directive(no_spans);
    // the writer thread flushes when no more lines wait, so a buffer saves system calls and delays nothing
    let (writer, guard) = tracing_appender::non_blocking(BufWriter::new(std::io::stderr()));
    let Some(collector) = &log.collector else {
        let builder = fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
        let started = match log.format {
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
            LogFormat::Text => builder.compact().try_init(),
        };
        started.map_err(|error| error.to_string())?;
        return Ok(Telemetry { _log: guard, traces: None });
    };
    let provider = traces::provider(collector)?;
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => lines.compact().with_filter(filter).boxed(),
    };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("portcullis"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // events are lines of the log, which may name an account
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET));
    registry().with(lines).with(spans).try_init().map_err(|error| error.to_string())?;
    Ok(Telemetry { _log: guard, traces: Some(provider) })
}
