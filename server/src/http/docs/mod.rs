//! The documentation, its viewers and the problem pages: all of it from this binary.

use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use serde_json::{Value, json};

use crate::http::assets::{media, named, under};
use crate::http::context::{Context, with_type};
use crate::http::endpoint::Answer;
use crate::http::openapi::{document, usual_status};
use crate::http::pages::page;
use crate::http::problem::Problem;

mod assets;

/// `GET /openapi.json`.
///
/// # Errors
/// None.
pub async fn openapi(context: Context) -> Answer {
    let made = context.app.openapi.get_or_init(|| document(&context.app).to_string().into());
    Ok(with_type(StatusCode::OK, "application/json", made.clone()))
}

/// `GET /docs`: Swagger UI.
///
/// # Errors
/// None.
pub async fn docs(_: Context) -> Answer {
    Ok(viewer(&assets::DOCS))
}

/// `GET /redoc`.
///
/// # Errors
/// None.
pub async fn redoc(_: Context) -> Answer {
    Ok(viewer(&assets::REDOC))
}

/// `GET /scalar`.
///
/// # Errors
/// None.
pub async fn scalar(_: Context) -> Answer {
    Ok(viewer(&assets::SCALAR))
}

fn viewer(viewer: &assets::Viewer) -> Response {
    under(with_type(StatusCode::OK, media::HTML, viewer.html), viewer.csp)
}

/// `GET /problems`.
///
/// # Errors
/// When the page cannot be rendered.
pub async fn problems(context: Context) -> Answer {
    let all: Vec<Value> = Code::ALL.iter().map(|code| problem_values(*code)).collect();
    let values = json!({"app_name": context.service().policy.app_name, "problems": all});
    page(&context.app, StatusCode::OK, "problems.html", values)
}

/// `GET /problems/{code}`.
///
/// # Errors
/// `not_found`.
pub async fn problem(context: Context) -> Answer {
    let code = Code::ALL.iter().find(|code| code.as_str() == context.parameter("code"));
    let mut values = problem_values(*code.ok_or_else(Problem::not_found)?);
    if let Some(members) = values.as_object_mut() {
        members.insert("app_name".to_owned(), json!(context.service().policy.app_name));
    }
    page(&context.app, StatusCode::OK, "problem.html", values)
}

fn problem_values(code: Code) -> Value {
    json!({"code": code.as_str(), "title": code.title(), "status": usual_status(code).as_u16()})
}

/// `GET /assets/{file}`.
///
/// # Errors
/// `not_found`.
pub async fn asset(context: Context) -> Answer {
    let mut response = named(assets::ALL, context.parameter("file"))?.answer(&context.headers)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(response)
}
