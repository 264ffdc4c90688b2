//! The development mailbox: every message that was sent, for newcomers and testers. Not there in production.

use std::collections::BTreeSet;

use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};
use portcullis_adapters::templates::style_hashes;
use serde_json::{Value, json};

use crate::http::context::{Context, json};
use crate::http::endpoint::Answer;
use crate::http::negotiation::{Wants, wants};
use crate::http::pages::{self, page};
use crate::http::problem::Problem;

/// How many messages are shown.
const SHOWN: u32 = 1000;

/// `GET /dev/mailbox`: newest first.
///
/// # Errors
/// When the mailbox cannot be read.
pub async fn list(context: Context) -> Answer {
    let mailbox = context.app.mailbox.as_ref().ok_or_else(Problem::not_found)?;
    let messages = mailbox.list(SHOWN).await?;
    // mails bring their own style elements: each is let through by its hash
    let styles: BTreeSet<String> = messages.iter().filter_map(|m| m.html.as_deref()).flat_map(style_hashes).collect();
    let messages = serde_json::to_value(messages).unwrap_or(Value::Null);
    if wants(&context.headers, Wants::Page) == Wants::Json {
        return Ok(json(StatusCode::OK, &messages));
    }
    let values = json!({"app_name": context.service().policy.app_name, "messages": messages});
    let mut response = page(&context.app, StatusCode::OK, "mailbox.html", values)?;
    let styles: Vec<String> = styles.into_iter().collect();
    let csp = pages::CSP.replacen("style-src 'self'", &format!("style-src 'self' {}", styles.join(" ")), 1);
    if let Ok(csp) = HeaderValue::from_str(&csp) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    }
    Ok(response)
}
