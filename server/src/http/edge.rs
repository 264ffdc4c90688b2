//! The outermost layer: every answer gets its name and its security headers, and a panic becomes a problem.

use std::panic::AssertUnwindSafe;

use axum::response::Response;
use futures_util::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use tracing::Instrument;

use crate::http::app::App;
use crate::http::problem::{Dialect, Problem};
use crate::http::request_id::RequestId;

/// What answers without a page of their own get: nothing may load, frame or be sent anywhere.
pub const CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const CSP_VALUE: HeaderValue = HeaderValue::from_static(CSP);

const ALWAYS: [(HeaderName, HeaderValue); 7] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Wraps the answer to a request.
pub async fn edge(app: &App, id: &RequestId, answer: impl Future<Output = Response>) -> Response {
    let span = tracing::info_span!("request", id = %id.0);
    let answered = AssertUnwindSafe(answer).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(id = %id.0, "a request panicked");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal).respond(Dialect::Problem, &id.0)
    });
    let headers = response.headers_mut();
    headers.reserve(ALWAYS.len() + 4);
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(CSP_VALUE);
    headers.entry(CACHE_CONTROL).or_insert(const { HeaderValue::from_static("no-store") });
    if app.https {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            const { HeaderValue::from_static("max-age=63072000; includeSubDomains") },
        );
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
