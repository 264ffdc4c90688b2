//! One line of the log for each request, and the ids that tie it to the lines of a proxy and of a tracing system.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use http::{Method, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;

use crate::http::app::App;

/// Operations that orchestrators and monitoring call all the time: their lines are at the level DEBUG.
const PROBES: [&str; 5] = ["health", "health_detailed", "livez", "readyz", "metrics"];

/// The endpoint that has answered. It is in the response's extensions; a path without an endpoint has none.
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
}

impl RequestIds {
    /// Nothing of a client that is no trusted proxy gets into the log.
    pub fn of(app: &App, request: &Request) -> Self {
        let own = new_id(app);
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
        let trusted = peer.is_some_and(|peer| app.trusted_proxies.iter().any(|net| net.contains(&peer)));
        let header = |name: &str| request.headers().get(name).filter(|_| trusted)?.to_str().ok();
        let trace = header("traceparent").and_then(trace_id).unwrap_or(&own).to_owned();
        let sent = header("x-request-id").filter(|id| is_request_id(id)).map(str::to_owned);
        Self { request: sent.unwrap_or(own), trace }
    }
}

/// 32 hexadecimal digits.
fn new_id(app: &App) -> String {
    let mut bytes = [0; 16];
    app.request_ids.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// The trace id of `version-trace-parent-flags`; none if it is all zeros.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (_, trace, parent, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let named = trace.bytes().any(|byte| byte != b'0');
    (is_hex(trace, 32) && is_hex(parent, 16) && named).then_some(trace)
}

/// Writes the line. The path and the query are not in it: links carry tokens there.
pub fn log(
    ids: &RequestIds,
    answered: Option<&Answered>,
    method: &Method,
    status: StatusCode,
    code: Option<Code>,
    elapsed: Duration,
) {
    let operation = answered.map_or("unknown", |answered| answered.operation);
    let realm = answered.and_then(|answered| answered.realm.as_ref()).map(Realm::as_str);
    let (request_id, trace_id) = (ids.request.as_str(), ids.trace.as_str());
    let (status, code) = (status.as_u16(), code.map(Code::as_str));
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
    fn a_trace_is_that_of_a_valid_traceparent() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for bad in ["", "00", "00-1-2-3", &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
        assert!(is_request_id("7f3e-1_a.b:c") && !is_request_id("") && !is_request_id("a b") && !is_request_id("a\nb"));
    }
}
