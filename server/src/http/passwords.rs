//! Passwords: forgotten, reset, changed.

use http::StatusCode;
use portcullis_adapters::messaging::email::factor_values;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use portcullis_core::use_cases::password::reset_password::ResetPreview;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::negotiation::prefers_page;
use crate::http::openapi::operation::{FORM, JSON, Operation, ok, optional, page_or, required, text};
use crate::http::openapi::schemas;
use crate::http::pages::page;
use crate::http::refresh_cookie::{RefreshCookie, TokenDelivery};
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "PasswordReset": schemas::object(&["password"], json!({"token": schemas::token("The token of the link; or in the query."), "password": schemas::password()})),
        "PasswordChange": schemas::object(&["current_password", "password"], json!({"current_password": schemas::known_password("The password now."), "password": schemas::password()})),
    })
}

pub static FORGET: Operation =
    Operation::new("Ask for a reset link", "The same answer for every address.", &[ok(202, "Accepted.", "Message")])
        .query(&[required("email", "The address.")])
        .query_on_get_only()
        .body(&[JSON], "Address");

pub async fn forget(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.query_or_body(Accepts::Json)?;
    let email = fields.required_text("email");
    fields.finish()?;
    context.service().passwords().request_reset(&context.realm, &email, &context.client).await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"message": "Password reset link sent to your email"})))
}

pub static RESET_FORM: Operation = Operation::new(
    "Open a reset link",
    "A page with a form. Consumes nothing.",
    &[text(200, "The page.", "text/html")],
)
.query(&[required("token", "The token of the link, 43 characters.")])
.errors(&[Code::InvalidToken])
.failure_pages();

/// `GET /reset_password_form?token=`: shows the form, consumes nothing.
pub async fn reset_form(context: RealmContext, input: Input) -> HandlerResult {
    let mut query = input.query()?;
    let token = query.required_secret("token");
    query.finish_ignoring_unknown()?;
    match context.service().passwords().preview_reset(&context.realm, token.expose()).await {
        Ok(preview) => form(&context, StatusCode::OK, &preview, token.expose(), &[]),
        Err(AuthError::InvalidToken) => failed(&context, &context.client.locale),
        Err(error) => Err(error.into()),
    }
}

pub static RESET: Operation = Operation::new(
    "Set a new password by a reset link",
    "Ends every session of the user. A password that is not acceptable leaves the link good.",
    &[page_or(200, "The password is changed.", "Message")],
)
.query(&[optional("token", "The token of the link; or in the body.")])
.body(&[FORM, JSON], "PasswordReset")
.errors(&[Code::InvalidToken, Code::Overloaded])
.failure_pages();

/// `POST /reset_password`: the form of the page, or JSON.
pub async fn reset(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.query()?.merge(input.body(Accepts::JsonOrForm)?)?;
    let (token, password) = (fields.required_secret("token"), fields.required_secret("password"));
    fields.finish()?;
    let passwords = context.service().passwords();
    // the language and the list of the page, before the link is used
    let preview = passwords.preview_reset(&context.realm, token.expose()).await;
    let outcome = passwords.reset_password(&context.realm, token.expose(), password.expose(), &context.client).await;
    if !prefers_page(&input.headers) {
        outcome?;
        return Ok(json(StatusCode::OK, &json!({"message": "Password reset successfully"})));
    }
    let without = |_| ResetPreview { locale: context.client.locale.clone(), factors: Vec::new() };
    let preview = preview.unwrap_or_else(without);
    let locale = &preview.locale;
    match outcome {
        Ok(()) => {
            let values = json!({"app_name": context.service().policy.app_name});
            page(&context.app, StatusCode::OK, "reset_success.html", locale, values)
        }
        Err(AuthError::InvalidToken) => failed(&context, locale),
        Err(AuthError::Invalid(violations)) => {
            let in_words = |violation: &Violation| context.app.renderer.message(locale, violation);
            let messages: Vec<String> = violations.iter().map(in_words).collect();
            form(&context, StatusCode::UNPROCESSABLE_ENTITY, &preview, token.expose(), &messages)
        }
        Err(error) => Err(error.into()),
    }
}

pub static CHANGE: Operation = Operation::new(
    "Change your password",
    "Ends every session of the caller and answers with a new pair of tokens. A session whose refresh token is in the cookie \
     stays in cookie mode.",
    &[ok(200, "Changed.", "TokenPair")],
)
.body(&[JSON], "PasswordChange")
.errors(&[Code::WrongPassword, Code::TooManyChanges, Code::ReauthenticationRequired, Code::Overloaded]);

pub async fn change(
    context: RealmContext,
    Authenticated(caller): Authenticated,
    cookie: RefreshCookie,
    input: Input,
) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let (current, new) = (fields.required_secret("current_password"), fields.required_secret("password"));
    fields.finish()?;
    let pair =
        context.service().passwords().change_password(&caller, current.expose(), new.expose(), &context.client).await?;
    let sessions = context.service().sessions();
    let in_cookie = cookie.token().is_some_and(|token| sessions.has_refresh_token(&caller, token.expose()));
    Ok(cookie.respond(if in_cookie { TokenDelivery::Cookie } else { TokenDelivery::Body }, &pair))
}

fn form(
    context: &RealmContext,
    status: StatusCode,
    preview: &ResetPreview,
    token: &str,
    messages: &[String],
) -> HandlerResult {
    let policy = &context.service().policy;
    let errors: Vec<_> = messages.iter().map(|message| json!({"message": message})).collect();
    let values = json!({
        "app_name": policy.app_name,
        "action": format!("{}/{}/reset_password", context.app.path_prefix, context.realm),
        "token": token,
        "min_length": policy.passwords.min_length,
        "min_score": policy.passwords.min_score,
        "errors": errors,
        "factors": factor_values(&preview.factors),
    });
    page(&context.app, status, "reset.html", &preview.locale, values)
}

fn failed(context: &RealmContext, locale: &Locale) -> HandlerResult {
    let values = json!({"app_name": context.service().policy.app_name});
    page(&context.app, StatusCode::BAD_REQUEST, "reset_failed.html", locale, values)
}
