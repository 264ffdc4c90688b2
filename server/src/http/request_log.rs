//! One log line and one span for each request, with the ids of the same request at a proxy and in a tracing system.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use http::{Method, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::job::TraceContext;
use portcullis_core::model::realm::Realm;
use tracing::Span;

use crate::http::app::App;
use crate::traces::{Parent, context_of, record_response, request_span};

/// Operations that orchestrators and monitoring call all the time. They are logged at level DEBUG and have no span.
const PROBES: [&str; 5] = ["health", "health_detailed", "livez", "readyz", "metrics"];

/// The endpoint that has handled a request, in the extensions of the response. Absent for a path without an endpoint.
#[derive(Clone)]
pub struct Answered {
    pub operation: &'static str,
    pub realm: Option<Realm>,
}

/// The ids of a request.
pub struct RequestIds {
    /// `X-Request-Id`: that of a trusted proxy, else a new one.
    pub request: String,
    /// The trace of `traceparent` (W3C Trace Context), if a trusted proxy sent one; else a new one.
    pub trace: String,
    /// The span of `traceparent`.
    pub parent: Option<Parent>,
}

impl RequestIds {
    /// Reads the ids. Headers count only from a trusted proxy, so that no other client writes to the log.
    pub fn of(app: &App, request: &Request) -> Self {
        let own = new_id(app);
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let trusted = peer.is_some_and(|peer| app.trusted_proxies.iter().any(|net| net.contains(&peer)));
        let header = |name: &str| request.headers().get(name).filter(|_| trusted)?.to_str().ok();
        let parent = header("traceparent").and_then(parse_traceparent);
        let trace = parent.map_or_else(|| own.clone(), |parent| hex(parent.context.trace));
        let sent = header("x-request-id").filter(|id| is_request_id(id)).map(str::to_owned);
        Self { request: sent.unwrap_or(own), trace, parent }
    }

    /// Starts the span of the request. The log line gets the trace id of the span.
    pub fn begin_span(&mut self, request: &Request) -> Span {
        let path = request.uri().path().trim_start_matches('/');
        if PROBES.contains(&path.replace('/', "_").as_str()) {
            return Span::none();
        }
        let span = request_span(request.method(), self.parent);
        if let Some((context, _)) = context_of(&span) {
            self.trace = hex(context.trace);
        }
        span
    }
}

/// A random id of 32 hexadecimal digits.
fn new_id(app: &App) -> String {
    let mut bytes = [0; 16];
    app.request_ids.fill(&mut bytes);
    hex(bytes)
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Parses `version-trace-parent-flags` (W3C Trace Context). `None` if an id is malformed or all zeros.
fn parse_traceparent(traceparent: &str) -> Option<Parent> {
    let mut parts = traceparent.split('-');
    let (_, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if !is_hex(trace, 32) || !is_hex(span, 16) {
        return None;
    }
    let (trace, span) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    let context = TraceContext { trace: trace.to_be_bytes(), span: span.to_be_bytes() };
    (trace != 0 && span != 0).then_some(Parent { context, sampled })
}

/// Writes the log line and completes the span. Neither has the path and the query, because those of links have tokens.
pub fn log(
    (ids, span): (&RequestIds, &Span),
    answered: Option<&Answered>,
    method: &Method,
    status: StatusCode,
    code: Option<Code>,
    elapsed: Duration,
) {
    let operation = answered.map_or("unknown", |answered| answered.operation);
    let realm = answered.and_then(|answered| answered.realm.as_ref()).map(Realm::as_str);
    let (request_id, trace_id) = (ids.request.as_str(), ids.trace.as_str());
    let code = code.map(Code::as_str);
    record_response(span, operation, realm, status, code);
    let status = status.as_u16();
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if PROBES.contains(&operation) {
        tracing::debug!(request_id, trace_id, realm, operation, %method, status, code, duration_ms, "request");
    } else {
        tracing::info!(request_id, trace_id, realm, operation, %method, status, code, duration_ms, "request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_traceparents_and_request_ids_are_ignored() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parsed = |flags| parse_traceparent(&format!("00-{id}-00f067aa0ba902b7-{flags}")).unwrap();
        assert_eq!(hex(parsed("01").context.trace), id);
        assert_eq!(parsed("01").context.span, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(parsed("01").sampled && parsed("03").sampled && !parsed("00").sampled && !parsed("x").sampled);
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            "00-1-2-3",
            &format!("00-{zeros}-00f067aa0ba902b7-01"),
            &format!("00-{id}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
        assert!(is_request_id("7f3e-1_a.b:c") && !is_request_id("") && !is_request_id("a b") && !is_request_id("a\nb"));
    }
}
