//! The development mailbox: every message that was sent, for newcomers and testers. Not there in production.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http::context::{Context, json};
use crate::http::endpoint::Answer;
use crate::http::negotiation::{Wants, wants};
use crate::http::pages::page;
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
    let messages = serde_json::to_value(messages).unwrap_or(Value::Null);
    if wants(&context.headers, Wants::Page) == Wants::Json {
        return Ok(json(StatusCode::OK, &messages));
    }
    let values = json!({"app_name": context.service().policy.app_name, "messages": messages});
    page(&context.app, StatusCode::OK, "mailbox.html", values)
}
