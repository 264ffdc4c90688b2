//! Webhooks for operators. Only the answers to creation and rotation have a secret.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::ids::{JobId, UserId, WebhookId};
use portcullis_core::model::job::{QueuedJob, Task};
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::webhook::{EventKinds, Webhook};
use portcullis_core::use_cases::operator::Operators;
use portcullis_core::use_cases::operator::webhooks::{IssuedWebhook, WebhookEdit};
use serde_json::{Value, json};

use crate::http::admin::{AdminContext, limit_of, reason_of};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, PathParameter};
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{JSON, Operation, Outcome, empty, ok, optional};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::profile::{expected_version, with_etag};
use crate::http::response::json;

/// Messages of a page.
const LIMIT: u32 = 100;
/// The most that a page may have.
const MAX_LIMIT: u32 = 1000;

const ID: &[(&str, &str)] = &[("id", "The webhook's id.")];
const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The `ETag` the change is meant for.")];

/// The schemas of the group.
pub fn schemas() -> Value {
    let kinds = EventKind::ALL.iter().filter(|kind| kind.is_for_webhooks()).map(|kind| kind.as_str());
    let kinds: Vec<&str> = ["*"].into_iter().chain(kinds).collect();
    let events = json!({"type": "array", "items": {"type": "string", "enum": kinds}, "minItems": 1, "description": "Kinds of events; `*` alone is all of them."});
    let url = schemas::text(
        "Begins with `https://`, without user name and fragment. Its address must be public or in `WEBHOOK_ALLOW`.",
    );
    let reason = schemas::text("Why; kept in the audit log. 1 to 200 characters, no personal data.");
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "Webhook": schemas::object(&["id", "realm", "url", "events", "disabled", "old_secret_until", "created_at", "updated_at"], json!({
            "id": schemas::id("whk"), "realm": {"$ref": "#/components/schemas/Realm"}, "url": url, "events": events, "disabled": {"type": "boolean"},
            "old_secret_until": time, "created_at": schemas::time(), "updated_at": schemas::time(),
        })),
        "Webhooks": schemas::object(&["webhooks"], json!({"webhooks": {"type": "array", "items": {"$ref": "#/components/schemas/Webhook"}}})),
        "NewWebhook": schemas::object(&["url", "events"], json!({"url": url, "events": events, "reason": reason})),
        "IssuedWebhook": schemas::object(&["webhook", "secret"], json!({"webhook": {"$ref": "#/components/schemas/Webhook"}, "secret": schemas::text("`whsec_` and base64. It is shown once.")})),
        "WebhookChange": schemas::object(&[], json!({"url": url, "events": events, "disabled": {"type": "boolean"}, "reason": reason})),
        "QueuedMessage": schemas::object(&["message", "delivery"], json!({"message": schemas::text("A sentence."), "delivery": schemas::text("The id of the message.")})),
        "Delivery": schemas::object(&["id", "event", "at", "user", "attempts", "created_at", "due_at", "failed_at", "reason"], json!({
            "id": schemas::text("The id of the message, as in `webhook-id`."), "event": schemas::text("The kind of event."), "at": schemas::time(), "user": {"type": ["string", "null"]},
            "attempts": {"type": "integer", "minimum": 0}, "created_at": schemas::time(), "due_at": time, "failed_at": time, "reason": {"type": ["string", "null"]},
        })),
        "Deliveries": schemas::object(&["deliveries", "next"], json!({
            "deliveries": {"type": "array", "items": {"$ref": "#/components/schemas/Delivery"}},
            "next": {"type": ["string", "null"], "description": "`before` of the next page; null at the end."},
        })),
        "Replay": schemas::object(&[], json!({"delivery": schemas::text("The id of a message; without it all that failed."), "reason": reason})),
        "Replayed": schemas::object(&["replayed"], json!({"replayed": {"type": "integer", "minimum": 0}})),
    })
}

pub static LIST: Operation =
    Operation::new("The webhooks", "By id, without their secrets.", &[ok(200, "The webhooks.", "Webhooks")]);

pub async fn list(context: AdminContext) -> HandlerResult {
    let found = context.app.service.operators().list_webhooks(&context.realm).await?;
    let shown: Vec<Value> = found.iter().map(webhook_json).collect();
    Ok(json(StatusCode::OK, &json!({"webhooks": shown})))
}

pub static CREATE: Operation = Operation::new(
    "Make a webhook",
    "It gets a signed message for each event of these kinds from now on (docs/webhooks.md). A realm may have 20.",
    &[Outcome { etag: true, ..ok(201, "The webhook and its secret.", "IssuedWebhook") }],
)
.body(&[JSON], "NewWebhook")
.example(r#"{"url":"https://receiver.example.com/portcullis","events":["account_deleted","email_changed"],"reason":"ticket 4711"}"#);

pub async fn create(context: AdminContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let url = fields.required_text("url");
    let kinds = kinds_of(&mut fields);
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let kinds = kinds.ok_or_else(Problem::not_found)?;
    let issued = context.operators(&note).create_webhook(&context.realm, &url, kinds).await?;
    Ok(tagged(&context, json(StatusCode::CREATED, &issued_json(&issued)), &issued.webhook))
}

pub static SHOW: Operation =
    Operation::new("A webhook", "Without its secret.", &[Outcome { etag: true, ..ok(200, "The webhook.", "Webhook") }])
        .path(ID)
        .errors(&[Code::NotFound]);

pub async fn show(context: AdminContext, PathParameter(id): PathParameter) -> HandlerResult {
    let webhook = context.app.service.operators().find_webhook(&context.realm, &parse_id(&id)?).await?;
    Ok(tagged(&context, json(StatusCode::OK, &webhook_json(&webhook)), &webhook))
}

pub static CHANGE: Operation = Operation::new(
    "Change a webhook",
    "Its URL, its events, or whether it is disabled. A receiver that answers 410 disables it.",
    &[Outcome { etag: true, ..ok(200, "The webhook.", "Webhook") }],
)
.path(ID)
.headers(IF_MATCH)
.body(&[JSON], "WebhookChange")
.example(r#"{"disabled":false,"reason":"ticket 4711"}"#)
.errors(&[Code::NotFound, Code::PreconditionFailed]);

pub async fn change(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.body(Accepts::Json)?;
    let url = fields.text("url");
    let kinds = if fields.has("events") { kinds_of(&mut fields) } else { None };
    let disabled = fields.has("disabled").then(|| fields.required_flag("disabled"));
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let edit = WebhookEdit { url, kinds, disabled };
    let operators = if_match(&context, &note, &id, &input).await?;
    let webhook = operators.change_webhook(&context.realm, &id, &edit).await?;
    Ok(tagged(&context, json(StatusCode::OK, &webhook_json(&webhook)), &webhook))
}

pub static DELETE: Operation =
    Operation::new("Delete a webhook", "With its messages that are not delivered.", &[empty(204, "It is deleted.")])
        .path(ID)
        .headers(IF_MATCH)
        .optional_body(&[JSON], "Reason")
        .errors(&[Code::NotFound, Code::PreconditionFailed]);

pub async fn delete(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (id, note) = addressed(&context, &id, &input)?;
    if_match(&context, &note, &id, &input).await?.delete_webhook(&context.realm, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub static ROTATE: Operation = Operation::new(
    "Give a webhook a new secret",
    "The old secret signs beside it for 24 hours.",
    &[Outcome { etag: true, ..ok(200, "The webhook and its secret.", "IssuedWebhook") }],
)
.path(ID)
.headers(IF_MATCH)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound, Code::PreconditionFailed]);

pub async fn rotate(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (id, note) = addressed(&context, &id, &input)?;
    let issued = if_match(&context, &note, &id, &input).await?.rotate_webhook(&context.realm, &id).await?;
    Ok(tagged(&context, json(StatusCode::OK, &issued_json(&issued)), &issued.webhook))
}

pub static TEST: Operation = Operation::new(
    "Send a test message",
    "A message of the kind `webhook_tested`, whatever events the webhook subscribes to. It is delivered when the list of deliveries has it no more.",
    &[ok(202, "The next worker sends it.", "QueuedMessage")],
)
.path(ID)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound]);

pub async fn test(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (id, note) = addressed(&context, &id, &input)?;
    let delivery = context.operators(&note).test_webhook(&context.realm, &id).await?;
    let shown = json!({"message": "The message will be sent", "delivery": delivery.to_string()});
    Ok(json(StatusCode::ACCEPTED, &shown))
}

pub static DELIVERIES: Operation = Operation::new(
    "Messages that are not delivered",
    "Those that wait and those that failed, the newest first. `next` of a page is `before` of the one that follows.",
    &[ok(200, "A page of messages.", "Deliveries")],
)
.path(ID)
.query(&[optional("before", "The `next` of a page."), optional("limit", "How many: 1 to 1000, 100 by default.")])
.errors(&[Code::NotFound]);

pub async fn deliveries(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.query()?;
    let text = fields.text("before");
    let before = text.as_deref().and_then(parse_position);
    if text.is_some() && before.is_none() {
        fields.refuse(Violation::new("before", Code::ValueInvalid));
    }
    let limit = limit_of(&mut fields, LIMIT, MAX_LIMIT);
    fields.finish()?;
    let found = context.app.service.operators().list_deliveries(&context.realm, &id, before, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().filter(|_| full);
    let next = next.map(|last| format!("{}-{}", last.job.created_at.as_millis(), last.job.id));
    let shown: Vec<Value> = found.iter().map(delivery_json).collect();
    Ok(json(StatusCode::OK, &json!({"deliveries": shown, "next": next})))
}

pub static REPLAY: Operation = Operation::new(
    "Send failed messages again",
    "One, or all of the webhook. They keep their ids.",
    &[ok(202, "The next worker sends them.", "Replayed")],
)
.path(ID)
.optional_body(&[JSON], "Replay")
.errors(&[Code::NotFound]);

pub async fn replay(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.optional_body(Accepts::Json)?;
    let text = fields.text("delivery");
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let delivery = text.map(|text| JobId::parse(&text).ok_or_else(Problem::not_found)).transpose()?;
    let replayed = context.operators(&note).replay_webhook(&context.realm, &id, delivery).await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"replayed": replayed})))
}

/// A webhook in JSON, without its secret.
#[must_use]
pub fn webhook_json(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id.to_string(),
        "realm": webhook.realm.as_str(),
        "url": webhook.url,
        "events": webhook.kinds.names(),
        "disabled": webhook.disabled,
        "old_secret_until": webhook.old_secret.as_ref().map(|old| rfc3339(old.until)),
        "created_at": rfc3339(webhook.created_at),
        "updated_at": rfc3339(webhook.updated_at),
    })
}

/// A webhook and its new secret in JSON.
#[must_use]
pub fn issued_json(issued: &IssuedWebhook) -> Value {
    json!({"webhook": webhook_json(&issued.webhook), "secret": issued.secret.expose()})
}

/// A message that is not delivered, in JSON.
#[must_use]
pub fn delivery_json(queued: &QueuedJob) -> Value {
    let QueuedJob { job, due_at, dead } = queued;
    let event = match &job.task {
        Task::NotifyWebhook { event, .. } => Some(event),
        _ => None,
    };
    json!({
        "id": job.id.to_string(),
        "event": event.map(|event| event.kind.as_str()),
        "at": event.map(|event| rfc3339(event.at)),
        "user": event.and_then(|event| event.user).map(|user| user.to_string()),
        "attempts": job.attempts,
        "created_at": rfc3339(job.created_at),
        "due_at": dead.is_none().then(|| rfc3339(*due_at)),
        "failed_at": dead.as_ref().map(|(at, _)| rfc3339(*at)),
        "reason": dead.as_ref().map(|(_, reason)| reason),
    })
}

/// The member `events` of a body. A list that is none of kinds is reported by `finish`.
fn kinds_of(fields: &mut FormFields) -> Option<EventKinds> {
    let names = fields.required_texts("events");
    let kinds = EventKinds::parse(names.iter().map(String::as_str));
    if kinds.is_none() {
        let message = "must be names of events that webhooks get, or * alone";
        fields.refuse(Violation::with_message("events", Code::ValueInvalid, message));
    }
    kinds
}

fn parse_id(text: &str) -> Result<WebhookId, Problem> {
    WebhookId::parse(text).ok_or_else(Problem::not_found)
}

fn parse_position(text: &str) -> Option<(Timestamp, JobId)> {
    let (at, id) = text.split_once('-')?;
    Some((Timestamp::from_millis(at.parse().ok()?), JobId::parse(id)?))
}

/// The webhook that a request names, and the operator with the reason in the body.
fn addressed(context: &AdminContext, id: &str, input: &Input) -> Result<(WebhookId, OperatorNote), Problem> {
    let id = parse_id(id)?;
    let mut fields = input.optional_body(Accepts::Json)?;
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    Ok((id, note))
}

fn tag(context: &AdminContext, webhook: &Webhook) -> String {
    // a tag is a keyed digest of an id and a version
    let id = UserId::from_bytes(*webhook.id.as_bytes());
    context.app.service.profile_tag(&context.realm, &id, webhook.version)
}

fn tagged(context: &AdminContext, response: Response, webhook: &Webhook) -> Response {
    with_etag(response, &tag(context, webhook))
}

/// The use cases, for the version of the webhook that `If-Match` names.
async fn if_match<'a>(
    context: &'a AdminContext,
    note: &'a OperatorNote,
    id: &WebhookId,
    input: &Input,
) -> Result<Operators<'a>, Problem> {
    let operators = context.operators(note);
    let webhook = operators.find_webhook(&context.realm, id).await?;
    Ok(operators.if_version(expected_version(&input.headers, &tag(context, &webhook), webhook.version)?))
}
