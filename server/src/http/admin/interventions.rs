//! Interventions of operators in an account: a required reset of the password, a reset of factors, deletion. Its owner gets
//! a mail of each.

use http::StatusCode;
use portcullis_core::model::code::Code;
use serde_json::json;

use crate::http::admin::AdminContext;
use crate::http::admin::users::intervention;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Input, PathParameter};
use crate::http::openapi::operation::{JSON, Operation, ok};
use crate::http::response::json;

const ID: &[(&str, &str)] = &[("id", "The account's id.")];

pub static REQUIRE_RESET: Operation = Operation::new(
    "Require a new password",
    "The password is void and every session, link and code ends. The owner gets a link to choose another password.",
    &[ok(200, "The password is void.", "SessionsEnded")],
)
.path(ID)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound, Code::Overloaded]);

pub async fn require_reset(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (who, note) = intervention(&context, &id, &input).await?;
    let done = context.operators(&note).require_reset(&context.realm, &who).await?;
    Ok(json(StatusCode::OK, &json!({"sessions_ended": done.sessions})))
}

pub static RESET_FACTORS: Operation = Operation::new(
    "Remove every second factor",
    "For an owner who lost them all: check who asks, because afterwards the password alone logs in. Every session, link and \
     code ends; the owner gets a notice with an undo link.",
    &[ok(200, "No second factor is on.", "SessionsEnded")],
)
.path(ID)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound, Code::MfaOff]);

pub async fn reset_factors(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (who, note) = intervention(&context, &id, &input).await?;
    let done = context.operators(&note).reset_factors(&context.realm, &who).await?;
    Ok(json(StatusCode::OK, &json!({"sessions_ended": done.sessions})))
}

pub static DELETE: Operation = Operation::new(
    "Delete an account",
    "As its owner would. Afterwards nothing of the person is left that can be turned back into them.",
    &[ok(200, "Deleted.", "Message")],
)
.path(ID)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound]);

pub async fn delete(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (who, note) = intervention(&context, &id, &input).await?;
    context.operators(&note).delete_account(&context.realm, &who).await?;
    Ok(json(StatusCode::OK, &json!({"message": "User deleted successfully"})))
}
