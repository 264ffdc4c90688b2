//! An error as a page, for a browser that opened a link.

use axum::response::Response;
use portcullis_core::model::code::Violation;
use portcullis_core::model::locale::Locale;
use serde_json::json;

use crate::http::app::App;
use crate::http::pages::page;
use crate::http::problem::Problem;

/// Writes the page into the error response that `into_response` began. False if it can't be rendered.
#[must_use]
pub fn write_error_page(
    app: &App,
    problem: &Problem,
    locale: &Locale,
    response: &mut Response,
    request_id: &str,
) -> bool {
    let message = |violation: &Violation| format!("{}: {}", violation.field, app.renderer.message(locale, violation));
    let values = json!({
        "app_name": app.service.policy.app_name,
        "title": app.renderer.title(locale, problem.code),
        "detail": problem.detail,
        "messages": problem.errors.iter().map(message).collect::<Vec<_>>(),
        "status": problem.status.as_u16(),
        "code": problem.code.as_str(),
        "request_id": request_id,
    });
    let Ok(page) = page(app, problem.status, "error.html", locale, values) else { return false };
    let (parts, body) = page.into_parts();
    response.headers_mut().extend(parts.headers);
    *response.body_mut() = body;
    true
}
