//! The middleware around all routes: request id, CORS, panics, security headers and the body of errors.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::HOST;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    COOKIE, ETAG, IF_MATCH, ORIGIN, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use portcullis_core::model::code::Code;
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::http::NoPlace;
use crate::http::app::App;
use crate::http::error_page::write_error_page;
use crate::http::negotiation::prefers_error_page;
use crate::http::problem::{ErrorFormat, Problem};
use crate::http::refused_origins::RefusedOrigins;
use crate::http::request_log::{self, Answered, RequestIds};

/// The policy of every response that does not bring its own: nothing may be loaded, framed or submitted.
const CSP: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The longest path and query, in bytes.
const URI_LIMIT: usize = 8192;
/// The longest header section, in bytes.
const HEADERS_LIMIT: usize = 32_768;

/// The request headers that a page of an allowed origin may send: ours, and those of tracing libraries.
const CORS_HEADERS: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("sentry-trace"),
];

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 7] = [
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

/// Keeps credentials out of what `Debug` shows of a request.
fn mark_credentials(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if *name == AUTHORIZATION || *name == COOKIE {
            value.set_sensitive(true);
        }
    }
}

/// Refuses a request that has no place, one whose URI or headers are longer than any of ours, or whose Host is missing, doubled or no authority
/// (RFC 9112, section 3.2).
pub async fn check_head(mut request: Request, next: Next) -> Response {
    mark_credentials(request.headers_mut());
    if request.extensions().get::<NoPlace>().is_some() {
        return NoPlace::answer();
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI_LIMIT {
        return Problem::new(StatusCode::URI_TOO_LONG, Code::UriTooLong).into_response();
    }
    if headers > HEADERS_LIMIT {
        return Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::HeadersTooLarge).into_response();
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    if request.version() >= Version::HTTP_11
        && (host.is_none_or(|host| host.as_str().contains('@')) || hosts.next().is_some())
    {
        return Problem::malformed("a request has one Host header (RFC 9112, section 3.2)").into_response();
    }
    next.run(request).await
}

/// The outermost layer: gives the request an id, completes an error with it and sets the headers of every response.
///
/// The id is never taken from a client (`tower_http::request_id` would do that), only from a trusted proxy: it is written to the
/// log.
pub async fn finish_response(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (mut ids, method) = (RequestIds::of(&app, &request), request.method().clone());
    let span = ids.begin_span(&request);
    let id = ids.request.clone();
    let by_link = matches!(*request.method(), Method::GET | Method::HEAD);
    let (as_page, version) = (prefers_error_page(request.headers()), request.version());
    let locale = app.locale(request.headers());
    // within the span, so that spans below it are found
    let of_log = span.in_scope(|| tracing::info_span!("request", request_id = id, trace_id = ids.trace));
    let mut response = next.run(request).instrument(of_log).instrument(span.clone()).await;
    let code = response.extensions().get::<Problem>().map(|problem| problem.code);
    let answered = response.extensions_mut().remove::<Answered>();
    request_log::log((&ids, &span), answered.as_ref(), &method, response.status(), code, began.elapsed());
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        // an OAuth client reads JSON, whatever its library says in `Accept`
        let as_page = as_page && (by_link || problem.format == ErrorFormat::Problem);
        if !as_page || !write_error_page(&app, &problem, &locale, &mut response, &id) {
            for violation in &mut problem.errors {
                violation.message = app.renderer.message(&locale, violation);
            }
            problem.write_body(&mut response, &id, &app.path_prefix);
        }
    }
    let headers = response.headers_mut();
    if app.draining.load(Ordering::Relaxed) && version <= Version::HTTP_11 {
        headers.insert(CONNECTION, const { HeaderValue::from_static("close") });
    }
    headers.reserve(SECURITY_HEADERS.len() + 4);
    for (name, value) in SECURITY_HEADERS {
        headers.entry(name).or_insert(value);
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(const { HeaderValue::from_static(CSP) });
    headers.entry(CACHE_CONTROL).or_insert(const { HeaderValue::from_static("no-store") });
    if app.https {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            const { HeaderValue::from_static("max-age=63072000; includeSubDomains") },
        );
    }
    if let Ok(value) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// The response to a request whose handler panicked. The panic's message may hold a personal value and is not logged.
pub fn panic_response(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request panicked");
    Problem::internal().into_response()
}

/// Applies the CORS rules to requests with an `Origin`.
///
/// Other requests only get `Vary: origin`: `CorsLayer` would answer a plain OPTIONS request itself, without `Allow`.
pub async fn cors(State(cors): State<Arc<Cors>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) {
        let headers = request.headers().clone();
        let Ok(response) = cors.layer.layer(next).oneshot(request).await;
        if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            cors.refused.observe(&headers, &cors.public_url);
        }
        return response;
    }
    let mut response = next.run(request).await;
    response.headers_mut().append(VARY, const { HeaderValue::from_static("origin") });
    response
}

/// The CORS rules, and the origins that they refused.
pub struct Cors {
    layer: CorsLayer,
    refused: RefusedOrigins,
    public_url: String,
}

/// The origins of `CORS_ORIGINS` may call, with the cookie of cookie mode (`refresh_cookie.rs`); no other credential is
/// ambient.
///
/// In an `Arc`, because axum clones the state of a layer several times for each request.
pub fn cors_rules(app: &App) -> Arc<Cors> {
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(app.cors_origins.clone()))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(CORS_HEADERS.into_iter().chain(app.cors_headers.iter().cloned()).collect::<Vec<_>>())
        .expose_headers([
            ETAG,
            RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    Arc::new(Cors { layer, refused: RefusedOrigins::default(), public_url: app.public_url.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let mut headers = HeaderMap::new();
        for (name, value) in [(AUTHORIZATION, "Bearer marked"), (COOKIE, "a=marked"), (COOKIE, "b=marked"), (HOST, "x")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        mark_credentials(&mut headers);
        let shown = format!("{headers:?}");
        assert!(!shown.contains("marked") && shown.contains("\"x\""), "{shown}");
    }
}
