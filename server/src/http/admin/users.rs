//! Accounts for operators. The body has addresses, never the URL; only `profile` answers with fields of a person.

use axum::response::Response;
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::use_cases::operator::Operators;
use portcullis_core::use_cases::operator::accounts::AccountState;
use portcullis_core::use_cases::operator::roles::RolesEdit;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use crate::http::admin::{AdminContext, reason_of};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, PathParameter};
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{JSON, Operation, Outcome, ok};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::profile::{ProfileResponse, expected_version, with_etag};
use crate::http::response::json;
use crate::http::sessions::session_json;

const ID: &[(&str, &str)] = &[("id", "The account's id.")];
const IF_MATCH: &[(&str, &str)] = &[("If-Match", "The `ETag` the change is meant for.")];

/// The schemas of the group.
pub fn schemas() -> Value {
    let reason = || {
        schemas::text("Why, such as a ticket's number; kept in the audit log. 1 to 200 characters, no personal data.")
    };
    json!({
        "Account": schemas::object(&["id", "realm", "disabled", "is_phone_verified", "mfa", "roles", "sessions", "created_at", "updated_at"], json!({
            "id": schemas::id("usr"), "realm": {"$ref": "#/components/schemas/Realm"}, "disabled": {"type": "boolean"}, "is_phone_verified": {"type": "boolean"},
            "mfa": schemas::object(&["sms", "totp", "passkey"], json!({"sms": {"type": "boolean"}, "totp": {"type": "boolean"}, "passkey": {"type": "boolean"}})), "roles": schemas::roles(),
            "sessions": {"type": "integer", "minimum": 0}, "created_at": schemas::time(), "updated_at": schemas::time(),
        })),
        "AccountSearch": schemas::object(&[], json!({"email": schemas::email(), "id": schemas::id("usr")})),
        "FoundAccounts": schemas::object(&["users"], json!({"users": {"type": "array", "items": {"$ref": "#/components/schemas/Account"}, "maxItems": 1}})),
        "AccountChange": schemas::object(&["disabled"], json!({"disabled": {"type": "boolean"}, "reason": reason()})),
        "RolesChange": schemas::object(&["roles"], json!({"roles": schemas::roles(), "reason": reason()})),
        "Reason": schemas::object(&[], json!({"reason": reason()})),
        "RequiredReason": schemas::object(&["reason"], json!({"reason": reason()})),
        "AccountDetails": schemas::object(&["account", "profile", "sessions"], json!({
            "account": {"$ref": "#/components/schemas/Account"}, "profile": {"$ref": "#/components/schemas/Profile"},
            "sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}},
        })),
        "SessionsEnded": schemas::object(&["sessions_ended"], json!({"sessions_ended": {"type": "integer", "minimum": 0}})),
    })
}

pub static SEARCH: Operation = Operation::new(
    "Find an account",
    "By `email` or `id`, one of the two. Exact search only: fields are sealed. The list is empty where there is none.",
    &[ok(200, "The account, without a field of its owner.", "FoundAccounts")],
)
.body(&[JSON], "AccountSearch")
.example(r#"{"email":"user@example.com"}"#);

pub async fn search(context: AdminContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let (email, id) = (fields.text("email"), fields.text("id"));
    let who = match (email, id) {
        (Some(email), None) if UserId::parse(email.trim()).is_none() => email,
        (None, Some(id)) if UserId::parse(&id).is_some() => id,
        _ => {
            fields.refuse(Violation::with_message(
                "email",
                Code::ValueInvalid,
                "give an address or an id, one of the two",
            ));
            String::new()
        }
    };
    fields.finish()?;
    let found = match context.app.service.operators().find_account(&context.realm, &who).await {
        Ok(state) => vec![account_json(&context.realm, &state)],
        Err(AuthError::NotFound) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(json(StatusCode::OK, &json!({"users": found})))
}

pub static SHOW: Operation = Operation::new(
    "An account",
    "Its state, without a field of its owner.",
    &[Outcome { etag: true, ..ok(200, "The account.", "Account") }],
)
.path(ID)
.errors(&[Code::NotFound]);

pub async fn show(context: AdminContext, PathParameter(id): PathParameter) -> HandlerResult {
    account(&context, parse_id(&id)?).await
}

pub static PROFILE: Operation = Operation::new(
    "The fields of an account's owner",
    "Profile and sessions. The reading is the audit event `account_read` with the reason; it is stored before anything is opened.",
    &[ok(200, "The account, its owner's fields and sessions.", "AccountDetails")],
)
.path(ID)
.body(&[JSON], "RequiredReason")
.example(r#"{"reason":"ticket 4711"}"#)
.errors(&[Code::NotFound]);

pub async fn profile(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.body(Accepts::Json)?;
    if !fields.has("reason") {
        fields.refuse(Violation::new("reason", Code::Required));
    }
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let operators = context.operators(&note);
    let details = operators.show_account(&context.realm, &id.to_string()).await?;
    let sessions: Vec<Value> = details.sessions.iter().map(session_json).collect();
    let shown = json!({
        "account": account_json(&context.realm, &details.state),
        "profile": ProfileResponse::of(&details.profile),
        "sessions": sessions,
    });
    Ok(json(StatusCode::OK, &shown))
}

pub static CHANGE: Operation = Operation::new(
    "Disable or enable an account",
    "A disabled account can't log in; its sessions and tokens end at once. Its owner is not told.",
    &[Outcome { etag: true, ..ok(200, "The account.", "Account") }],
)
.path(ID)
.headers(IF_MATCH)
.body(&[JSON], "AccountChange")
.example(r#"{"disabled":true,"reason":"ticket 4711"}"#)
.errors(&[Code::NotFound, Code::PreconditionFailed]);

pub async fn change(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.body(Accepts::Json)?;
    let disabled = fields.required_flag("disabled");
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let operators = if_match(&context, context.operators(&note), id, &input).await?;
    let who = id.to_string();
    if disabled {
        operators.disable(&context.realm, &who).await?;
    } else {
        operators.enable(&context.realm, &who).await?;
    }
    account(&context, id).await
}

pub static SET_ROLES: Operation = Operation::new(
    "Set the roles of an account",
    "It has these roles afterwards, and no others, with effect from the next request. Its sessions stay.",
    &[Outcome { etag: true, ..ok(200, "The account.", "Account") }],
)
.path(ID)
.headers(IF_MATCH)
.body(&[JSON], "RolesChange")
.example(r#"{"roles":["billing:read"],"reason":"ticket 4711"}"#)
.errors(&[Code::NotFound, Code::PreconditionFailed, Code::MfaOff]);

pub async fn set_roles(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let id = parse_id(&id)?;
    let mut fields = input.body(Accepts::Json)?;
    let roles = roles_of(&mut fields);
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    let operators = if_match(&context, context.operators(&note), id, &input).await?;
    operators.change_roles(&context.realm, &id.to_string(), RolesEdit::Set(&roles)).await?;
    account(&context, id).await
}

pub static END_SESSIONS: Operation = Operation::new(
    "End all sessions of an account",
    "With its links and codes. Its owner gets a mail.",
    &[ok(200, "They ended.", "SessionsEnded")],
)
.path(ID)
.optional_body(&[JSON], "Reason")
.errors(&[Code::NotFound]);

pub async fn end_sessions(context: AdminContext, PathParameter(id): PathParameter, input: Input) -> HandlerResult {
    let (who, note) = intervention(&context, &id, &input).await?;
    let done = context.operators(&note).end_sessions(&context.realm, &who).await?;
    Ok(json(StatusCode::OK, &json!({"sessions_ended": done.sessions})))
}

/// An account in JSON, without a field of its owner.
#[must_use]
pub fn account_json(realm: &Realm, state: &AccountState) -> Value {
    let has = |method| state.factors.contains(&method);
    json!({
        "id": state.id.to_string(),
        "realm": realm.as_str(),
        "disabled": state.disabled,
        "is_phone_verified": state.phone_verified,
        "mfa": {"sms": has(FactorMethod::Sms), "totp": has(FactorMethod::Totp), "passkey": has(FactorMethod::Passkey)},
        "roles": state.roles.names(),
        "sessions": state.sessions,
        "created_at": rfc3339(state.created_at),
        "updated_at": rfc3339(state.updated_at),
    })
}

/// The id of a path.
///
/// # Errors
/// `not_found` for a text that is none.
pub fn parse_id(text: &str) -> Result<UserId, Problem> {
    UserId::parse(text).ok_or_else(Problem::not_found)
}

/// The account that a request intervenes in, and the operator with the reason in the body.
///
/// # Errors
/// For an id that is none, a body that is not a reason, and an account that this operator may not change.
pub async fn intervention(context: &AdminContext, id: &str, input: &Input) -> Result<(String, OperatorNote), Problem> {
    let id = parse_id(id)?;
    let mut fields = input.optional_body(Accepts::Json)?;
    let note = context.note(reason_of(&mut fields));
    fields.finish()?;
    Ok((id.to_string(), note))
}

/// The account as it is now, with its `ETag`.
async fn account(context: &AdminContext, id: UserId) -> Result<Response, Problem> {
    let state = context.app.service.operators().find_account(&context.realm, &id.to_string()).await?;
    let tag = context.app.service.profile_tag(&context.realm, &id, state.version);
    Ok(with_etag(json(StatusCode::OK, &account_json(&context.realm, &state)), &tag))
}

/// The use cases, for the version of the account that `If-Match` names.
async fn if_match<'a>(
    context: &AdminContext,
    operators: Operators<'a>,
    id: UserId,
    input: &Input,
) -> Result<Operators<'a>, Problem> {
    let version = operators.find_account(&context.realm, &id.to_string()).await?.version;
    let tag = context.app.service.profile_tag(&context.realm, &id, version);
    Ok(operators.if_version(expected_version(&input.headers, &tag, version)?))
}

/// The member `roles` of a body.
fn roles_of(fields: &mut FormFields) -> Roles {
    let names = fields.required_texts("roles");
    Roles::parse(names.iter().map(String::as_str)).unwrap_or_else(|| {
        let message = "at most 32 names of 1 to 32 letters, digits, dots, colons, dashes and underscores";
        fields.refuse(Violation::with_message("roles", Code::ValueInvalid, message));
        Roles::default()
    })
}
