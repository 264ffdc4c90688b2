//! The account itself: export, deletion.

use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::email::Email;
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::passkey::Passkeys;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::undo::FormerState;
use portcullis_core::use_cases::account::export::Export;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::devices::device_json;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::openapi::operation::{FORM, JSON, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::passkeys::passkey_json;
use crate::http::profile::ProfileResponse;
use crate::http::response::json;
use crate::http::sessions::session_json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Deletion": schemas::object(&[], json!({"password": schemas::known_password("Instead of a recent login.")})),
        "Export": schemas::object(&["profile", "roles", "passkeys", "devices", "former_states", "sessions", "events"], json!({
            "profile": {"$ref": "#/components/schemas/Profile"}, "roles": schemas::roles(), "previous_email": {"type": ["string", "null"]},
            "passkeys": {"type": "array", "items": {"$ref": "#/components/schemas/Passkey"}},
            "devices": {"type": "array", "items": {"$ref": "#/components/schemas/Device"}},
            "former_states": {"type": "array", "items": schemas::object(&["change", "changed_at", "expires_at", "undone", "email", "phone", "country_code", "is_phone_verified", "mfa"], json!({
                "change": {"type": "string", "enum": ["email", "phone", "password", "factors"]}, "changed_at": schemas::time(), "expires_at": schemas::time(), "undone": {"type": "boolean"},
                "email": {"type": "string"}, "phone": {"type": "string"}, "country_code": {"type": "string"}, "is_phone_verified": {"type": "boolean"}, "mfa": schemas::object(&["sms", "totp", "passkeys"], json!({"sms": {"type": "boolean"}, "totp": {"type": "boolean"}, "passkeys": {"type": "integer"}})),
            }))},
            "sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}},
            "events": {"type": "array", "items": schemas::object(&["at", "event"], json!({"at": schemas::time(), "event": schemas::text("What happened."), "session": {"type": ["string", "null"]}, "reason": {"type": ["string", "null"]}, "detail": {"type": ["string", "null"]}}))},
        })),
    })
}

pub static EXPORT: Operation = Operation::new(
    "Export your data",
    "GDPR articles 15 and 20. Needs a login of the last 15 minutes.",
    &[ok(200, "Everything.", "Export")],
)
.errors(&[Code::ReauthenticationRequired]);

pub async fn export(context: RealmContext, Authenticated(caller): Authenticated) -> HandlerResult {
    let export = context.service().accounts().export(&caller).await?;
    let mut response = json(StatusCode::OK, &export_json(&export));
    let name = HeaderValue::from_static("attachment; filename=\"export.json\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Everything stored about a person, in JSON.
#[must_use]
pub fn export_json(export: &Export) -> Value {
    let events = export.events.iter().map(|event| {
        json!({
            "at": rfc3339(event.at),
            "event": event.kind.as_str(),
            "session": event.session.map(|session| session.to_string()),
            "reason": event.operator.as_ref().and_then(OperatorNote::reason),
            "detail": event.detail.as_ref().map(EventDetail::as_str),
        })
    });
    let passkeys = |former: &FormerState| former.passkeys.as_deref().and_then(Passkeys::parse).unwrap_or_default();
    let former_states = export.former_states.iter().map(|(record, former)| {
        json!({
            "change": record.change.as_str(),
            "changed_at": rfc3339(record.created_at),
            "expires_at": rfc3339(record.expires_at),
            "undone": record.used,
            "email": former.email,
            "phone": former.phone,
            "country_code": former.country_code,
            "is_phone_verified": former.phone_verified,
            "mfa": {"sms": former.mfa_sms, "totp": former.totp.is_some(), "passkeys": passkeys(former).0.len()},
        })
    });
    json!({
        "profile": ProfileResponse::of(&export.profile),
        "roles": export.roles.names(),
        "previous_email": export.previous_email.as_ref().map(Email::as_str),
        "passkeys": export.passkeys.iter().map(passkey_json).collect::<Vec<Value>>(),
        "devices": export.devices.iter().map(device_json).collect::<Vec<Value>>(),
        "former_states": former_states.collect::<Vec<Value>>(),
        "sessions": export.sessions.iter().map(session_json).collect::<Vec<Value>>(),
        "events": events.collect::<Vec<Value>>(),
    })
}

pub static DELETE: Operation = Operation::new(
    "Delete your account",
    "Needs a login of the last 15 minutes, or the password. Afterwards nothing of the person is \
     left that can be turned back into them.",
    &[ok(200, "Deleted.", "Message")],
)
.optional_body(&[JSON, FORM], "Deletion")
.errors(&[Code::ReauthenticationRequired, Code::WrongPassword, Code::Overloaded]);

pub async fn delete(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.optional_body(Accepts::JsonOrForm)?;
    let password = fields.secret("password");
    fields.finish()?;
    let reauthentication = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    context.service().accounts().delete_account(&caller, reauthentication).await?;
    Ok(json(StatusCode::OK, &json!({"message": "User deleted successfully"})))
}
