//! The demo of `web-demo/`, in development only: static files under one strict policy, and its settings, which are this
//! deployment's own.

mod files;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use serde_json::json;

pub use files::ALL;

use crate::http::app::App;
use crate::http::assets::{find, with_policy};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::PathParameter;
use crate::http::openapi::operation::{Operation, empty, text};
use crate::http::response::json;

/// Our own modules, WebAssembly among them, styles, pictures and typefaces; requests to this server alone; no text
/// ever becomes markup or code (trusted types).
pub const CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                       font-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
                       require-trusted-types-for 'script'; trusted-types 'none'";

pub(super) static REDIRECT: Operation = Operation::new(
    "Redirect to the demo",
    "The files are below `/demo/`. In development only.",
    &[empty(308, "The demo is at `/demo/`.")],
);

/// `GET /demo`. The redirect is relative, so that the demo also works behind a path prefix.
pub(super) async fn redirect() -> HandlerResult {
    Ok((StatusCode::PERMANENT_REDIRECT, [(LOCATION, "demo/")]).into_response())
}

pub(super) static PAGE: Operation = Operation::new(
    "The demo",
    "Every use case of this document in one page. In development only.",
    &[text(200, "The page.", "text/html")],
);

pub(super) async fn page(headers: HeaderMap) -> HandlerResult {
    file_response("index.html", &headers)
}

pub(super) static FILE: Operation = Operation::new(
    "A file of the demo",
    "Its modules, its stylesheet, its settings. In development only.",
    &[text(200, "The file.", "application/octet-stream")],
)
.path(&[("file", "Its name.")])
.errors(&[Code::NotFound]);

pub(super) async fn file(
    State(app): State<Arc<App>>,
    PathParameter(name): PathParameter,
    headers: HeaderMap,
) -> HandlerResult {
    match name.as_str() {
        "settings.json" => Ok(settings(&app)),
        name => file_response(name, &headers),
    }
}

fn file_response(name: &str, headers: &HeaderMap) -> HandlerResult {
    let mut response = with_policy(find(ALL, name)?.response(headers)?, CSP);
    // a reload must not mix files of two versions
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// `settings.json` for this deployment; other hosts serve `web-demo/settings.json`.
fn settings(app: &App) -> Response {
    let policy = &app.service.policy;
    let realms: Vec<&str> = app.realms.iter().map(portcullis_core::model::realm::Realm::as_str).collect();
    let body = json!({
        "server": "..",
        "servers": [],
        "app_name": policy.app_name,
        "realms": realms,
        "password": {
            "min_length": policy.passwords.min_length,
            "max_length": policy.passwords.max_length,
            "min_score": policy.passwords.min_score,
        },
        "smtputf8": policy.smtputf8,
        "mailbox": app.mailbox.is_some(),
    });
    json(StatusCode::OK, &body)
}
