//! The undo link of a notice: its page, and the restoring or the locking of the account.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::recovery::undo::{UndoPreview, Undone};
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::negotiation::prefers_page;
use crate::http::openapi::operation::{FORM, JSON, Operation, page_or, required};
use crate::http::openapi::schemas;
use crate::http::pages::{human_time, page, rfc3339};
use crate::http::problem::Problem;
use crate::http::response::json;

const PASSWORD: &str = "The password that was valid before the change. Without it the account is disabled.";

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Undo": schemas::object(&["token"], json!({"token": schemas::token("The token of the link."), "password": schemas::known_password(PASSWORD)})),
        "UndoPreview": schemas::object(&["change", "changed_at"], json!({
            "change": {"type": "string", "enum": ["email", "phone", "password", "factors"]}, "changed_at": schemas::time(),
        })),
        "Undone": schemas::object(&["message", "result"], json!({"message": schemas::text("For people."), "result": {"type": "string", "enum": ["restored", "disabled"]}})),
    })
}

pub static UNDO_PAGE: Operation = Operation::new(
    "Open an undo link",
    "A page with a form. Changes nothing. Ignores query parameters that it does not know.",
    &[page_or(200, "The page, or the change that the link would undo.", "UndoPreview")],
)
.query(&[required("token", "The token of the link, 43 characters.")])
.errors(&[Code::InvalidToken])
.failure_pages();

/// `GET /undo?token=`: shows the form, changes nothing.
pub async fn undo_page(context: RealmContext, input: Input) -> HandlerResult {
    let mut query = input.query()?;
    let token = query.required_secret("token");
    query.finish_ignoring_unknown()?;
    let wants_page = prefers_page(&input.headers);
    match context.service().recovery().preview_undo(&context.realm, token.expose()).await {
        Ok(preview) if wants_page => form(&context, StatusCode::OK, token.expose(), &preview),
        Ok(preview) => {
            let body = json!({"change": preview.change.as_str(), "changed_at": rfc3339(preview.at)});
            Ok(json(StatusCode::OK, &body))
        }
        Err(AuthError::InvalidToken) if wants_page => {
            result(&context, StatusCode::BAD_REQUEST, &context.client.locale, "undo_failed.html")
        }
        Err(error) => Err(error.into()),
    }
}

pub static UNDO: Operation = Operation::new(
    "Undo a change of e-mail, phone, password or factors",
    "With the password from before the change it restores the state of the account before it, ends every session and \
     mails a reset link. Without a password it disables the account, which only an operator can enable. A link is \
     good for seven days and one use; five wrong passwords leave only the disabling.",
    &[page_or(200, "The account is restored or disabled.", "Undone")],
)
.body(&[FORM, JSON], "Undo")
.errors(&[Code::InvalidToken, Code::WrongPassword, Code::Overloaded])
.failure_pages();

/// `POST /undo`: a form of the page, or JSON.
pub async fn undo(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::JsonOrForm)?;
    let (token, password) = (fields.required_secret("token"), fields.secret("password"));
    // an empty field is a slip, and must not disable the account
    if password.as_ref().is_some_and(|password| password.expose().is_empty()) {
        fields.refuse(Violation::new("password", Code::Required));
    }
    fields.finish()?;
    let recovery = context.service().recovery();
    // the language of the page, before the link is used
    let preview = recovery.preview_undo(&context.realm, token.expose()).await;
    let locale = preview.map_or_else(|_| context.client.locale.clone(), |preview| preview.locale);
    let outcome = recovery
        .undo(&context.realm, token.expose(), password.as_ref().map(SecretString::expose), &context.client)
        .await;
    let wants_page = prefers_page(&input.headers);
    match outcome {
        Ok(undone) if !wants_page => Ok(json(StatusCode::OK, &undone_json(&context, undone))),
        Ok(Undone::Restored) => result(&context, StatusCode::OK, &locale, "undo_restored.html"),
        Ok(Undone::Disabled) => result(&context, StatusCode::OK, &locale, "undo_disabled.html"),
        Err(AuthError::InvalidToken) if wants_page => {
            result(&context, StatusCode::BAD_REQUEST, &locale, "undo_failed.html")
        }
        Err(AuthError::WrongPassword) if wants_page => {
            match recovery.preview_undo(&context.realm, token.expose()).await {
                Ok(preview) => form(&context, StatusCode::FORBIDDEN, token.expose(), &preview),
                Err(_) => Err(Problem::from(AuthError::WrongPassword)),
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn undone_json(context: &RealmContext, undone: Undone) -> Value {
    let app = &context.service().policy.app_name;
    match undone {
        Undone::Restored => json!({
            "message": "The change is undone; a link for a new password was sent to your email",
            "result": "restored",
        }),
        Undone::Disabled => json!({
            "message": format!("The account is disabled; only the operator of {app} can enable it"),
            "result": "disabled",
        }),
    }
}

fn form(context: &RealmContext, status: StatusCode, token: &str, preview: &UndoPreview) -> HandlerResult {
    let values = json!({
        "app_name": context.service().policy.app_name,
        "action": format!("{}/{}/undo", context.app.path_prefix, context.realm),
        "token": token,
        "change": preview.change.as_str(),
        "at": human_time(preview.at),
        "wrong": status != StatusCode::OK,
    });
    page(&context.app, status, "undo.html", &preview.locale, values)
}

fn result(context: &RealmContext, status: StatusCode, locale: &Locale, template: &str) -> HandlerResult {
    page(&context.app, status, template, locale, json!({"app_name": context.service().policy.app_name}))
}
