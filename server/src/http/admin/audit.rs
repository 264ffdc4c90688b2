//! The audit log for operators, page by page. Events have ids, no field of a person.

use http::StatusCode;
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::time::Timestamp;
use serde_json::{Value, json};

use crate::http::admin::{AdminContext, limit_of, reason_of};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::Input;
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{Operation, ok, optional};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::response::json;

/// Events of a page.
const LIMIT: u32 = 100;
/// The most that a page may have.
const MAX_LIMIT: u32 = 1000;

/// The schemas of the group.
pub fn schemas() -> Value {
    let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json!({
        "AuditEvent": schemas::object(&["position", "at", "realm", "event", "user", "session", "operator", "reason", "detail"], json!({
            "position": schemas::text("Its place in the log."), "at": schemas::time(), "realm": {"$ref": "#/components/schemas/Realm"}, "event": {"type": "string", "enum": kinds},
            "user": {"type": ["string", "null"]}, "session": {"type": ["string", "null"]}, "operator": {"type": ["string", "null"]}, "reason": {"type": ["string", "null"]},
            "detail": {"type": ["string", "null"], "description": "Names of roles, settings and operations, codes and numbers, as `name=value`."},
        })),
        "AuditPage": schemas::object(&["events", "next"], json!({
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/AuditEvent"}},
            "next": {"type": ["string", "null"], "description": "`before` of the next page; null at the end."},
        })),
    })
}

pub static LIST: Operation = Operation::new(
    "The audit log",
    "The newest events first. `next` of a page is `before` of the one that follows.",
    &[ok(200, "A page of events.", "AuditPage")],
)
.query(&[
    optional("user", "Of this account."),
    optional("kind", "Of these kinds, with commas between them."),
    optional("since", "Not older than this: RFC 3339."),
    optional("until", "Older than this."),
    optional("before", "The `next` of a page."),
    optional("limit", "How many: 1 to 1000, 100 by default."),
    optional("reason", "With `user`: why, for the event of this reading."),
]);

pub async fn list(context: AdminContext, input: Input) -> HandlerResult {
    let mut fields = input.query()?;
    let user = parsed(&mut fields, "user", UserId::parse);
    let kinds = parsed(&mut fields, "kind", |text| text.split(',').map(EventKind::parse).collect());
    let (since, until) = (parsed(&mut fields, "since", parse_time), parsed(&mut fields, "until", parse_time));
    let before = parsed(&mut fields, "before", AuditPosition::parse);
    let limit = limit_of(&mut fields, LIMIT, MAX_LIMIT);
    let reason = reason_of(&mut fields);
    fields.finish()?;
    let query = AuditQuery { realm: context.realm.clone(), user, kinds: kinds.unwrap_or_default(), since, until };
    let note = context.note(reason);
    let events = context.operators(&note).list_events(&query, before, limit).await?;
    let full = u32::try_from(events.len()).is_ok_and(|count| count == limit);
    let next = events.last().filter(|_| full).map(|last| last.position.to_string());
    Ok(json(StatusCode::OK, &json!({"events": events.iter().map(event_json).collect::<Vec<Value>>(), "next": next})))
}

/// An optional field of the query. A text that can't be read is reported by `finish`.
fn parsed<T>(fields: &mut FormFields, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = fields.text(name)?;
    let value = parse(&text);
    if value.is_none() {
        fields.refuse(Violation::new(name, Code::ValueInvalid));
    }
    value
}

fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp::from_millis(time.as_millisecond()))
}

/// An event in JSON.
#[must_use]
pub fn event_json(logged: &LoggedEvent) -> Value {
    let LoggedEvent { position, event } = logged;
    let note = event.operator.as_ref();
    json!({
        "position": position.to_string(),
        "at": rfc3339(event.at),
        "realm": event.realm.as_str(),
        "event": event.kind.as_str(),
        "user": event.user.map(|user| user.to_string()),
        "session": event.session.map(|session| session.to_string()),
        "operator": note.map(|note| &note.operator),
        "reason": note.and_then(OperatorNote::reason),
        "detail": event.detail.as_ref().map(EventDetail::as_str),
    })
}
