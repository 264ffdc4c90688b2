//! Passwords: forgotten, reset, changed.

use http::StatusCode;
use portcullis_core::use_cases::errors::StoryError;
use serde_json::json;

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;
use crate::http::logins::token_answer;
use crate::http::negotiation::{Wants, wants};
use crate::http::pages::page;
use crate::http::problem::Problem;

/// `GET` or `POST /forget_password`.
///
/// # Errors
/// As the contract lists them.
pub async fn forget(context: Context) -> Answer {
    let mut members = context.query_or_body(Accepts::Json)?;
    let email = members.required_text("email");
    members.finish()?;
    context.service().request_reset(context.realm()?, &email).await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"message": "Password reset link sent to your email"})))
}

/// `GET /reset_password_form?token=`: shows the form, consumes nothing.
///
/// # Errors
/// As the contract lists them.
pub async fn reset_form(context: Context) -> Answer {
    let mut query = context.query()?;
    let token = query.required_text("token");
    query.finish()?;
    match context.service().preview_reset(context.realm()?, &token).await {
        Ok(()) => form(&context, StatusCode::OK, &token, &[]),
        Err(StoryError::InvalidToken) => failed(&context),
        Err(error) => Err(error.into()),
    }
}

/// `POST /reset_password`: the form of the page, or JSON.
///
/// # Errors
/// As the contract lists them.
pub async fn reset(context: Context) -> Answer {
    let mut members = context.query()?.and(context.body(Accepts::JsonOrForm)?)?;
    let (token, password) = (members.required_text("token"), members.required_text("password"));
    members.finish()?;
    let outcome = context.service().reset_password(context.realm()?, &token, &password).await;
    if wants(&context.headers, Wants::Page) == Wants::Json {
        outcome?;
        return Ok(json(StatusCode::OK, &json!({"message": "Password reset successfully"})));
    }
    match outcome {
        Ok(()) => {
            let values = json!({"app_name": context.service().policy.app_name});
            page(&context.app, StatusCode::OK, "reset_success.html", values)
        }
        Err(StoryError::InvalidToken) => failed(&context),
        Err(StoryError::Invalid(violations)) => {
            let messages: Vec<String> = violations.into_iter().map(|violation| violation.message).collect();
            form(&context, StatusCode::UNPROCESSABLE_ENTITY, &token, &messages)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /change_password`.
///
/// # Errors
/// As the contract lists them.
pub async fn change(context: Context) -> Answer {
    let mut members = context.body(Accepts::Json)?;
    let (current, new) = (members.required_text("current_password"), members.required_text("password"));
    members.finish()?;
    let pair = context.service().change_password(context.caller()?, &current, &new, &context.client).await?;
    Ok(token_answer(&pair))
}

fn form(context: &Context, status: StatusCode, token: &str, messages: &[String]) -> Answer {
    let policy = &context.service().policy;
    let errors: Vec<_> = messages.iter().map(|message| json!({"message": message})).collect();
    let realm = context.realm()?;
    let values = json!({
        "app_name": policy.app_name,
        "action": format!("/{realm}/reset_password"),
        "token": token,
        "min_length": policy.passwords.min_length,
        "errors": errors,
    });
    page(&context.app, status, "reset.html", values)
}

fn failed(context: &Context) -> Result<axum::response::Response, Problem> {
    let values = json!({"app_name": context.service().policy.app_name});
    page(&context.app, StatusCode::BAD_REQUEST, "reset_failed.html", values)
}
