//! The demo of `web-demo/`, in development only: static files under one strict policy, and its settings, which are this
//! deployment's own.

mod files;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, StatusCode};
use serde_json::json;

pub use files::ALL;

use crate::http::assets::{named, under};
use crate::http::context::{Context, json};
use crate::http::endpoint::Answer;

/// Our own modules, WebAssembly among them, styles, pictures and typefaces; requests to this server alone; no text
/// ever becomes markup or code (trusted types).
pub const CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                       font-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
                       require-trusted-types-for 'script'; trusted-types 'none'";

/// `GET /demo`: the addresses in the page are relative to `/demo/`, so that it works from any other place too.
///
/// # Errors
/// None.
pub async fn entrance(_: Context) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("demo/"));
    Ok(response)
}

/// `GET /demo/`.
///
/// # Errors
/// None.
pub async fn page(context: Context) -> Answer {
    answer(&context, "index.html")
}

/// `GET /demo/{file}`.
///
/// # Errors
/// `not_found`.
pub async fn file(context: Context) -> Answer {
    match context.parameter("file") {
        "settings.json" => Ok(settings(&context)),
        name => answer(&context, name),
    }
}

fn answer(context: &Context, name: &str) -> Answer {
    let mut response = under(named(ALL, name)?.answer(&context.headers)?, CSP);
    // whoever works on the demo reloads it often, and must not get half of an older one
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// What `web-demo/settings.json` says for other hosts, for this one.
fn settings(context: &Context) -> Response {
    let policy = &context.service().policy;
    let realms: Vec<&str> = context.app.realms.iter().map(portcullis_core::model::realm::Realm::as_str).collect();
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
        "mailbox": context.app.mailbox.is_some(),
    });
    json(StatusCode::OK, &body)
}
