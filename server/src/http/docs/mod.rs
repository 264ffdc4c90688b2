//! The OpenAPI document, its viewers and the problem pages. All files come from this binary.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::locale::Locale;
use serde_json::{Value, json};

use crate::config::Appearance;
use crate::http::app::App;
use crate::http::assets::{find, media, with_policy};
use crate::http::demo;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::PathParameter;
use crate::http::openapi::operation::{Operation, ok, text, usual_status};
use crate::http::pages::page;
use crate::http::problem::Problem;
use crate::http::response::with_type;

mod assets;

pub static OPENAPI: Operation = Operation::new("This document", "OpenAPI 3.1.", &[ok(200, "The document.", "Any")]);

pub async fn openapi(State(app): State<Arc<App>>) -> HandlerResult {
    let document = app.openapi.get_or_init(|| (app.openapi_document)(&app).into());
    Ok(with_type(StatusCode::OK, "application/json", document.clone()))
}

pub static DOCS: Operation =
    Operation::new("Swagger UI", "A viewer of this document.", &[text(200, "The page.", "text/html")]);

/// `GET /docs`: Swagger UI.
pub async fn docs() -> HandlerResult {
    Ok(viewer(&assets::DOCS))
}

pub static REDOC: Operation =
    Operation::new("ReDoc", "A viewer of this document.", &[text(200, "The page.", "text/html")]);

pub async fn redoc() -> HandlerResult {
    Ok(viewer(&assets::REDOC))
}

pub static SCALAR: Operation =
    Operation::new("Scalar", "A viewer of this document.", &[text(200, "The page.", "text/html")]);

pub async fn scalar() -> HandlerResult {
    Ok(viewer(&assets::SCALAR))
}

fn viewer(viewer: &assets::Viewer) -> Response {
    with_policy(with_type(StatusCode::OK, media::HTML, viewer.html), viewer.csp)
}

pub static PROBLEMS: Operation =
    Operation::new("All error codes", "One list for server and browser.", &[text(200, "The page.", "text/html")]);

pub async fn problems(State(app): State<Arc<App>>) -> HandlerResult {
    let all: Vec<Value> = Code::ALL.iter().map(|code| problem_values(*code)).collect();
    let values = json!({"app_name": app.service.policy.app_name, "problems": all});
    page(&app, StatusCode::OK, "problems.html", &Locale::default(), values)
}

pub static PROBLEM: Operation =
    Operation::new("An error code", "What a problem's `type` leads to.", &[text(200, "The page.", "text/html")])
        .path(&[("code", "The code.")])
        .errors(&[Code::NotFound]);

pub async fn problem(State(app): State<Arc<App>>, PathParameter(code): PathParameter) -> HandlerResult {
    let code = Code::ALL.iter().find(|known| known.as_str() == code);
    let mut values = problem_values(*code.ok_or_else(Problem::not_found)?);
    if let Some(members) = values.as_object_mut() {
        members.insert("app_name".to_owned(), json!(app.service.policy.app_name));
    }
    page(&app, StatusCode::OK, "problem.html", &Locale::default(), values)
}

fn problem_values(code: Code) -> Value {
    json!({"code": code.as_str(), "title": code.title(), "status": usual_status(code).as_u16()})
}

pub static ASSET: Operation =
    Operation::new("A static file", "Of the pages and viewers.", &[text(200, "The file.", "application/octet-stream")])
        .path(&[("file", "Its name.")])
        .errors(&[Code::NotFound]);

pub async fn asset(
    State(app): State<Arc<App>>,
    PathParameter(name): PathParameter,
    headers: HeaderMap,
) -> HandlerResult {
    let Appearance { logo, accent } = &app.appearance;
    let mut response = match (name.as_str(), logo, accent) {
        ("logo", Some(logo), _) => shared(with_type(StatusCode::OK, logo.media_type, logo.bytes.clone())),
        ("pages.css", _, Some(accent)) => {
            with_type(StatusCode::OK, media::CSS, format!("{}{}", assets::PAGES_CSS, accent.css()))
        }
        // the npm package, for the meter of pages: the demo's copy
        (name, ..) if name.starts_with("pkg/") => find(demo::ALL, name)?.response(&headers)?,
        (name, ..) => find(assets::ALL, name)?.response(&headers)?,
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(response)
}

/// Lets other sites embed a response: mails are read on them.
fn shared(mut response: Response) -> Response {
    response.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}
