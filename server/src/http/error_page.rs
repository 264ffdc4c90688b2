//! An error as a page, for a browser that opened a link.

use axum::response::Response;
use serde_json::json;

use crate::http::app::App;
use crate::http::pages::page;
use crate::http::problem::Problem;

/// Writes the page into the error response that `into_response` began. False if it can't be rendered.
#[must_use]
pub fn write_error_page(app: &App, problem: &Problem, response: &mut Response, request_id: &str) -> bool {
    let values = json!({
        "app_name": app.service.policy.app_name,
        "title": problem.code.title(),
        "detail": problem.detail,
        "messages": problem.errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>(),
        "status": problem.status.as_u16(),
        "code": problem.code.as_str(),
        "request_id": request_id,
    });
    let Ok(page) = page(app, problem.status, "error.html", values) else { return false };
    let (parts, body) = page.into_parts();
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
    true
}
