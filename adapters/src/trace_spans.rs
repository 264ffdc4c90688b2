//! Spans of traces. They are off unless the server exports traces (`OTEL_EXPORTER_OTLP_ENDPOINT`): then a call costs one atomic
//! read. They have the names of ports and methods and nothing of a person. The log does not show them.

use tracing::Span;

/// The target of all spans that are exported, and of nothing else.
pub const TARGET: &str = "portcullis_trace";

/// A call of a store.
#[must_use]
pub fn store(port: &'static str, access: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "store", otel.name = port, otel.kind = "client", access)
}

/// A password hash: its wait in the queue and its computation.
#[must_use]
pub fn hash() -> Span {
    tracing::info_span!(target: TARGET, "hash")
}
