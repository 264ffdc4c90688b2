//! Traces by OTLP over HTTP: a span for each request, use case, call of a store, password hash, job and message. Spans hold the
//! names of operations, ports, realms and errors, and never a path, an id of a person, a personal value or a token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};
use portcullis_adapters::trace_spans::{self, TARGET};
use portcullis_core::model::job::{Job, TraceContext};
use portcullis_core::ports::database::{Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// How long an export may take. Spans wait meanwhile, and the newest are dropped when 2048 wait.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The exporter to a collector.
///
/// # Errors
/// When its URL or the TLS of this machine can't be used.
pub fn provider(endpoint: &str) -> Result<SdkTracerProvider, String> {
    let setting = |error: &dyn std::fmt::Display| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}");
    // on the exporter's own thread, which has no runtime
    let client =
        reqwest::blocking::Client::builder().timeout(EXPORT_TIMEOUT).build().map_err(|error| setting(&error))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| setting(&error))?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Roots)))
        .with_resource(Resource::builder().with_service_name("portcullis").with_attribute(version).build())
        .build())
}

/// Begins traces at requests and jobs alone: a poll of the queue or a look at the database for a health check is none.
#[derive(Debug, Clone)]
struct Roots;

impl ShouldSample for Roots {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace: TraceId,
        _name: &str,
        kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let decision = match kind {
            SpanKind::Server | SpanKind::Consumer => SamplingDecision::RecordAndSample,
            _ => SamplingDecision::Drop,
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

/// The caller's span, from `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its ids.
    pub context: TraceContext,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

fn join(span: &Span, parent: Option<Parent>) {
    let Some(Parent { context, sampled }) = parent else { return };
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span_id) = (TraceId::from_bytes(context.trace), SpanId::from_bytes(context.span));
    let remote = SpanContext::new(trace, span_id, flags, true, TraceState::default());
    // fails only where nothing is exported
    let _ = span.set_parent(Context::new().with_remote_span_context(remote));
}

/// The span of a request, in the trace of its caller if it has one.
pub fn request_span(method: &http::Method, parent: Option<Parent>) -> Span {
    let span = tracing::info_span!(
        target: TARGET, "request", otel.kind = "server", otel.status_code = Empty,
        http.request.method = method.as_str(), http.response.status_code = Empty, portcullis.realm = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        join(&span, parent);
    }
    span
}

/// Completes the span of a request.
pub fn record_response(
    span: &Span,
    operation: &str,
    realm: Option<&str>,
    status: http::StatusCode,
    code: Option<&str>,
) {
    if span.is_disabled() {
        return;
    }
    // the operation is known only now, and the layer takes no new name for a span that has begun
    span.context().span().update_name(operation.to_owned());
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if let Some(realm) = realm {
        span.record("portcullis.realm", realm);
    }
    if let Some(code) = code {
        span.record("error.type", code);
    }
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a use case.
pub fn use_case_span(operation: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "use_case", otel.name = format_args!("use case {operation}"))
}

/// The span of a job, in the trace of the request that ordered it.
pub fn job_span(job: &Job) -> Span {
    let kind = job.task.kind();
    let span = tracing::info_span!(
        target: TARGET, "job", otel.name = format_args!("job {kind}"), otel.kind = "consumer",
        portcullis.realm = job.realm.as_str(), attempts = job.attempts,
    );
    if !span.is_disabled() {
        join(&span, job.trace.map(|context| Parent { context, sampled: true }));
    }
    span
}

/// The span of a message that is sent.
pub fn message_span(channel: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "message", otel.name = format_args!("send {channel}"), otel.kind = "client")
}

/// The ids of a span and whether it is recorded; `None` where nothing is exported.
pub fn context_of(span: &Span) -> Option<(TraceContext, bool)> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let found = context.span().span_context().clone();
    let ids = TraceContext { trace: found.trace_id().to_bytes(), span: found.span_id().to_bytes() };
    found.is_valid().then(|| (ids, found.is_sampled()))
}

/// A database that writes the trace into the jobs of a commit, so that they join it on whichever instance does them.
pub struct TracedDatabase(pub Arc<dyn Database>);

#[async_trait]
impl Database for TracedDatabase {
    async fn commit(&self, mut work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let span = trace_spans::store("commit", "write");
        if let Some((context, true)) = context_of(&span) {
            for job in &mut work.jobs {
                job.trace = Some(context);
            }
        }
        self.0.commit(work).instrument(span).await
    }
}
