//! The page at `/`: what this server is, and where its documentation is. In production only name and version.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::http::app::App;
use crate::http::endpoint::HandlerResult;
use crate::http::negotiation::prefers_page;
use crate::http::openapi::operation::{Operation, page_or};
use crate::http::openapi::schemas;
use crate::http::pages::page;
use crate::http::response::json;
use portcullis_core::model::locale::Locale;

/// A sentence about the server.
const DESCRIPTION: &str = "Portcullis registers people, verifies their addresses and logs them in.";

/// Pages that explain the API, with their titles.
const DOCUMENTATION: [(&str, &str); 4] =
    [("/docs", "Swagger UI"), ("/redoc", "ReDoc"), ("/scalar", "Scalar"), ("/openapi.json", "OpenAPI document")];
/// Pages that only development has.
const DEVELOPMENT: [(&str, &str); 2] = [("/demo/", "Demo"), ("/dev/mailbox", "Development mailbox")];

/// The schemas of the group.
pub fn schemas() -> Value {
    let link = schemas::object(
        &["href", "title"],
        json!({"href": schemas::text("A path."), "title": schemas::text("Its title.")}),
    );
    let members = json!({
        "name": schemas::text("The name of the API."), "version": schemas::text("Its version."),
        "description": schemas::text("What it is; not in production."), "links": {"type": "array", "items": link},
    });
    json!({"Start": schemas::object(&["name", "version"], members)})
}

pub static START: Operation = Operation::new(
    "Start page",
    "What this server is, with links to its documentation. In production only name and version.",
    &[page_or(200, "The page.", "Start")],
);

/// `GET /`.
pub async fn start(State(app): State<Arc<App>>, headers: HeaderMap) -> HandlerResult {
    let mut body = Map::new();
    body.insert("name".to_owned(), json!("Portcullis"));
    body.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    if app.mailbox.is_some() {
        let documentation = app.api_docs.then_some(DOCUMENTATION).into_iter().flatten();
        let links = documentation.chain([("/problems", "Error codes"), ("/health", "Health")]).chain(DEVELOPMENT);
        let links: Vec<Value> =
            links.map(|(href, title)| json!({"href": format!("{}{href}", app.path_prefix), "title": title})).collect();
        body.insert("description".to_owned(), json!(DESCRIPTION));
        body.insert("links".to_owned(), json!(links));
    }
    if !prefers_page(&headers) {
        return Ok(json(StatusCode::OK, &body));
    }
    body.insert("app_name".to_owned(), json!(app.service.policy.app_name));
    page(&app, StatusCode::OK, "start.html", &Locale::default(), Value::Object(body))
}
