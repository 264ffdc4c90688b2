//! The development mailbox: every message that was sent. It does not exist in production.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_adapters::messaging::templates::style_hashes;
use serde_json::{Value, json};

use crate::http::app::App;
use crate::http::endpoint::HandlerResult;
use crate::http::negotiation::prefers_page;
use crate::http::openapi::operation::{Operation, page_or};
use crate::http::openapi::schemas;
use crate::http::pages::{self, page};
use crate::http::problem::Problem;
use crate::http::response::json;
use portcullis_core::model::locale::Locale;

/// How many messages are shown.
const SHOWN: u32 = 1000;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Mailbox": {"type": "array", "items": schemas::object(&["channel", "to", "template", "subject", "text", "html", "links", "code", "at"], json!({
            "channel": {"type": "string", "enum": ["email", "sms", "voice"]}, "to": schemas::text("The address or number."), "template": schemas::text("The message."),
            "subject": {"type": ["string", "null"]}, "text": schemas::text("The text part."), "html": {"type": ["string", "null"]},
            "links": {"type": "array", "items": {"type": "string"}}, "code": {"type": ["string", "null"]}, "at": schemas::time(),
        }))},
    })
}

pub static LIST: Operation = Operation::new(
    "The development mailbox",
    "Every message that was sent, newest first. In development only.",
    &[page_or(200, "The messages.", "Mailbox")],
);

/// `GET /dev/mailbox`: newest first.
pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> HandlerResult {
    let mailbox = app.mailbox.as_ref().ok_or_else(Problem::not_found)?;
    let messages = mailbox.list(SHOWN).await?;
    // mails bring their own style elements: each is let through by its hash
    let styles: BTreeSet<String> = messages.iter().filter_map(|m| m.html.as_deref()).flat_map(style_hashes).collect();
    let messages = serde_json::to_value(messages).unwrap_or(Value::Null);
    if !prefers_page(&headers) {
        return Ok(json(StatusCode::OK, &messages));
    }
    let values = json!({"app_name": app.service.policy.app_name, "messages": messages});
    let mut response = page(&app, StatusCode::OK, "mailbox.html", &Locale::default(), values)?;
    let styles: Vec<String> = styles.into_iter().collect();
    let csp = pages::CSP.replacen("style-src 'self'", &format!("style-src 'self' {}", styles.join(" ")), 1);
    if let Ok(csp) = HeaderValue::from_str(&csp) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}
