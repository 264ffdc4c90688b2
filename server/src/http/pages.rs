//! Pages rendered from templates. Their content security policy allows the server's own files and forms.

use axum::response::Response;
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};
use jiff::fmt::temporal::DateTimePrinter;
use portcullis_core::model::locale::Locale;
use serde_json::Value;

use crate::http::app::App;
use crate::http::problem::Problem;
use crate::http::response::with_type;

macro_rules! policy {
    ($more:literal) => {
        concat!(
            "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; ",
            $more,
            "frame-ancestors 'none'; base-uri 'none'"
        )
    };
}

/// The content security policy of a page: only the server's own files and forms, and no script.
pub const CSP: &str = policy!("");

/// That of a page with a password field, which shows the password on demand: the server's own scripts too.
const PASSWORD_CSP: &str = policy!("script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; ");

/// That of a page for a new password: the meter is WebAssembly.
const METER_CSP: &str = policy!(
    "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'; "
);

/// Renders a page.
///
/// # Errors
/// `internal` if the template fails: an operator's own template may.
pub fn page(
    app: &App,
    status: StatusCode,
    template: &str,
    locale: &Locale,
    context: Value,
) -> Result<Response, Problem> {
    let html = app.renderer.render_page(template, locale, context).map_err(|error| {
        tracing::error!(template, "a page could not be rendered: {error}");
        Problem::unavailable()
    })?;
    let csp = match template {
        "reset.html" => METER_CSP,
        "undo.html" | "verify_button.html" => PASSWORD_CSP,
        _ => CSP,
    };
    let mut response = with_type(status, "text/html; charset=utf-8", html);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    Ok(response)
}

/// A time for a page or mail: `2026-11-24 03:00 UTC`.
#[must_use]
pub fn human_time(at: portcullis_core::model::time::Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default()
}

/// A time in RFC 3339, UTC, with milliseconds.
#[must_use]
pub fn rfc3339(at: portcullis_core::model::time::Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let at = jiff::Timestamp::from_millisecond(at.as_millis());
    at.map(|at| PRINTER.timestamp_to_string(&at)).unwrap_or_default()
}
