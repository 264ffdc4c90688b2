//! Messages of a realm that could not be delivered, for operators. They have ids, no field of a person.

use http::StatusCode;
use portcullis_core::model::code::Code;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::DeadLetter;
use portcullis_core::use_cases::operator::dead_letters::requeue;
use serde_json::{Value, json};

use crate::http::admin::{AdminContext, limit_of, reason_of};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, PathParameter};
use crate::http::openapi::operation::{JSON, Operation, ok, optional};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::response::json;

/// Dead letters of an answer.
const LIMIT: u32 = 100;
/// The most that an answer may have.
const MAX_LIMIT: u32 = 1000;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "DeadLetter": schemas::object(&["id", "realm", "kind", "user", "attempts", "created_at", "dead_since", "reason"], json!({
            "id": schemas::text("The job's id."), "realm": {"$ref": "#/components/schemas/Realm"}, "kind": schemas::text("The kind of message."), "user": {"type": ["string", "null"]},
            "attempts": {"type": "integer", "minimum": 0}, "created_at": schemas::time(), "dead_since": schemas::time(), "reason": schemas::text("Why it could not be delivered."),
        })),
        "DeadLetters": schemas::object(&["dead_letters"], json!({"dead_letters": {"type": "array", "items": {"$ref": "#/components/schemas/DeadLetter"}}})),
    })
}

pub static LIST: Operation = Operation::new(
    "Messages that could not be delivered",
    "The newest first.",
    &[ok(200, "The messages, by id.", "DeadLetters")],
)
.query(&[optional("limit", "How many: 1 to 1000, 100 by default.")]);

pub async fn list(context: AdminContext, input: Input) -> HandlerResult {
    let mut fields = input.query()?;
    let limit = limit_of(&mut fields, LIMIT, MAX_LIMIT);
    fields.finish()?;
    let found = context.app.service.ports.jobs.list_dead_letters(Some(context.realm.clone()), limit).await?;
    let shown: Vec<Value> = found.iter().map(dead_letter_json).collect();
    Ok(json(StatusCode::OK, &json!({"dead_letters": shown})))
}

pub static RETRY: Operation = Operation::new(
    "Send a message again",
    "A dead letter becomes a job that is due now.",
    &[ok(202, "The next worker sends it.", "Message")],
)
.path(&[("id", "The job's id.")])
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound]);

pub async fn retry(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let mut fields = input.optional_body(Accepts::Json)?;
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let id = JobId::parse(&id).ok_or_else(Problem::not_found)?;
    let ports = &context.app.service.ports;
    let found = ports.jobs.find_dead_letter(&id).await?;
    let letter = found.filter(|letter| letter.job.realm == context.realm).ok_or_else(Problem::not_found)?;
    if !requeue(&letter, &*ports.database, &note, ports.clock.now()).await? {
        return Err(Problem::not_found());
    }
    Ok(json(StatusCode::ACCEPTED, &json!({"message": "The message will be sent again"})))
}

/// A dead letter in JSON.
#[must_use]
pub fn dead_letter_json(letter: &DeadLetter) -> Value {
    let job = &letter.job;
    // the index of an address is not shown
    let user = job.task.about().user().map(|user| user.to_string());
    json!({
        "id": job.id.to_string(),
        "realm": job.realm.as_str(),
        "kind": job.task.kind(),
        "user": user,
        "attempts": job.attempts,
        "created_at": rfc3339(job.created_at),
        "dead_since": rfc3339(letter.at),
        "reason": letter.reason,
    })
}
