//! The outermost layer: every answer gets its name and its security headers, and a panic becomes a problem.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use portcullis_core::model::code::Code;
use tracing::Instrument;

use crate::http::app::App;
use crate::http::problem::{Dialect, Problem};
use crate::http::request_id::RequestId;

/// What answers without a page of their own get: nothing may load, frame or be sent anywhere.
pub const CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const ALWAYS: [(HeaderName, &str); 7] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Wraps every request.
pub async fn edge(State(app): State<Arc<App>>, mut request: Request<Body>, next: Next) -> Response {
    let id = RequestId::random(&app.request_ids);
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = %id.0);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span).await;
    let mut response = answered.unwrap_or_else(|_| {
        tracing::error!(id = %id.0, "a request panicked");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal).respond(Dialect::Problem, &id.0)
    });
    let headers = response.headers_mut();
    headers.reserve(ALWAYS.len() + 4);
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CSP));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if app.https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
