//! Passkeys: add, list, rename, remove, and log in with one.

use axum::response::IntoResponse as _;
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::ids::PasskeyId;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::passkey::{Passkey, PasskeyName};
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::factors::add_passkey::AddedPasskey;
use portcullis_core::use_cases::shared::passkeys::PasskeyCeremony;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, PathParameter, RealmContext};
use crate::http::factors::password;
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{JSON, Operation, empty, ok};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::refresh_cookie::{RefreshCookie, delivery_schema};
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    let name = || schemas::text("1 to 100 characters.");
    let passkey = json!({
        "id": schemas::id("pky"), "name": name(), "synced": {"type": "boolean", "description": "Whether it may be on more than one device."},
        "created_at": schemas::time(), "last_used_at": {"type": ["string", "null"], "format": "date-time"},
    });
    let required = ["id", "name", "synced", "created_at", "last_used_at"];
    let mut added = passkey.clone();
    if let Some(members) = added.as_object_mut() {
        let about = "Ten, shown this once, where it is the first factor of the account.";
        members.insert(
            "backup_codes".to_owned(),
            json!({"type": "array", "items": {"type": "string"}, "description": about}),
        );
    }
    json!({
        "Passkey": schemas::object(&required, passkey),
        "AddedPasskey": schemas::object(&required, added),
        "Passkeys": schemas::object(&["passkeys"], json!({"passkeys": {"type": "array", "items": {"$ref": "#/components/schemas/Passkey"}}})),
        "PasskeyOptions": schemas::object(&["token", "options", "expires_in"], json!({
            "token": schemas::token("Names the challenge."), "options": {"type": "object", "description": "JSON of WebAuthn Level 3, for `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()`."},
            "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "NewPasskey": schemas::object(&["token", "credential", "name"], json!({
            "token": schemas::token("The challenge."), "credential": credential_schema(), "name": name(),
        })),
        "PasskeyRename": schemas::object(&["name"], json!({"name": name()})),
        "PasskeyLogin": schemas::object(&["token", "credential"], json!({
            "token": schemas::token("The challenge."), "credential": credential_schema(), "token_delivery": delivery_schema(),
        })),
    })
}

/// The field `credential`.
pub fn credential_schema() -> Value {
    json!({"type": "object", "description": "The `toJSON()` of what `navigator.credentials` answered (WebAuthn Level 3)."})
}

pub static OPTIONS: Operation = Operation::new(
    "Begin with a passkey",
    "Needs recent authentication, or the password; where a factor stronger than SMS is on, one of those. The options are \
     for `navigator.credentials.create()`; `POST /passkeys` takes its answer, in the same session.",
    &[ok(200, "The challenge.", "PasskeyOptions")],
)
.optional_body(&[JSON], "FactorProof")
.errors(&[Code::PasskeyLimit, Code::ReauthenticationRequired, Code::WrongPassword, Code::Overloaded]);

pub async fn options(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let password = password(&input)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    Ok(ceremony(&context.service().factors().begin_passkey(&caller, given).await?))
}

pub static ADD: Operation = Operation::new(
    "Add a passkey",
    "Ends every other session, link and code of the account. The first factor of an account comes with backup codes. From \
     then on a login with the password asks for a second factor.",
    &[ok(201, "It is added.", "AddedPasskey")],
)
.body(&[JSON], "NewPasskey")
.errors(&[Code::InvalidToken, Code::PasskeyKnown, Code::PasskeyLimit, Code::TooManyChanges]);

pub async fn add(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let (token, credential) = (fields.required_secret("token"), credential(&mut fields));
    let name = name(&mut fields);
    fields.finish()?;
    // `finish` has reported a name that is none
    let name = name.ok_or_else(Problem::internal)?;
    let added = context.service().factors().add_passkey(&caller, token.expose(), &credential, name).await?;
    let AddedPasskey { passkey, backup_codes } = added;
    let mut body = passkey_json(&passkey);
    if let (Some(codes), Some(members)) = (backup_codes, body.as_object_mut()) {
        members.insert("backup_codes".to_owned(), codes.iter().map(TypedCode::grouped).collect());
    }
    Ok(json(StatusCode::CREATED, &body))
}

pub static LIST: Operation =
    Operation::new("Your passkeys", "The oldest first.", &[ok(200, "The passkeys.", "Passkeys")]);

pub async fn list(context: RealmContext, Authenticated(caller): Authenticated) -> HandlerResult {
    let passkeys = context.service().factors().list_passkeys(&caller)?;
    let passkeys: Vec<Value> = passkeys.iter().map(passkey_json).collect();
    Ok(json(StatusCode::OK, &json!({"passkeys": passkeys})))
}

pub static RENAME: Operation =
    Operation::new("Rename a passkey", "Changes nothing else.", &[ok(200, "The passkey.", "Passkey")])
        .path(&[("id", "The passkey.")])
        .body(&[JSON], "PasskeyRename")
        .errors(&[Code::NotFound]);

pub async fn rename(
    context: RealmContext,
    Authenticated(caller): Authenticated,
    PathParameter(id): PathParameter,
    input: Input,
) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let name = name(&mut fields);
    fields.finish()?;
    // `finish` has reported a name that is none
    let name = name.ok_or_else(Problem::internal)?;
    let id = PasskeyId::parse(&id).ok_or_else(Problem::not_found)?;
    let passkey = context.service().factors().rename_passkey(&caller, id, &name).await?;
    Ok(json(StatusCode::OK, &passkey_json(&passkey)))
}

pub static REMOVE: Operation = Operation::new(
    "Remove a passkey",
    "Needs recent authentication with a second factor other than SMS. Ends every other session, link and code of the \
     account; where no other factor is on, the backup codes too.",
    &[empty(204, "It is gone.")],
)
.path(&[("id", "The passkey.")])
.optional_body(&[JSON], "FactorProof")
.errors(&[
    Code::NotFound,
    Code::LastFactor,
    Code::TooManyChanges,
    Code::ReauthenticationRequired,
    Code::WrongPassword,
    Code::Overloaded,
]);

pub async fn remove(
    context: RealmContext,
    Authenticated(caller): Authenticated,
    PathParameter(id): PathParameter,
    input: Input,
) -> HandlerResult {
    let password = password(&input)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    let id = PasskeyId::parse(&id).ok_or_else(Problem::not_found)?;
    context.service().factors().remove_passkey(&caller, id, given).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub static LOGIN_OPTIONS: Operation = Operation::new(
    "Begin a login with a passkey",
    "The same for everyone: no account is named. The options are for `navigator.credentials.get()`, also with \
     `mediation: \"conditional\"`.",
    &[ok(200, "The challenge.", "PasskeyOptions")],
);

pub async fn login_options(context: RealmContext, input: Input) -> HandlerResult {
    input.optional_body(Accepts::Json)?.finish()?;
    Ok(ceremony(&context.service().logins().begin_passkey_login(&context.realm).await?))
}

pub static LOGIN: Operation = Operation::new(
    "Log in with a passkey",
    "Instead of a password; no second factor is asked for, because each use of a passkey verifies its user.",
    &[ok(200, "Logged in.", "TokenPair")],
)
.body(&[JSON], "PasskeyLogin")
.errors(&[Code::InvalidPasskey, Code::Forbidden]);

pub async fn login(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let delivery = cookie.take_delivery(&mut fields)?;
    let (token, credential) = (fields.required_secret("token"), credential(&mut fields));
    fields.finish()?;
    let logins = context.service().logins();
    let opened = logins.log_in_with_passkey(&context.realm, token.expose(), &credential, &context.client).await;
    let pair = opened.map_err(|error| {
        let problem = Problem::from(error);
        match problem.status {
            StatusCode::UNAUTHORIZED => problem.challenge(&format!("Bearer realm=\"{}\"", context.realm)),
            _ => problem,
        }
    })?;
    Ok(cookie.respond(delivery, &pair))
}

/// A passkey in JSON.
#[must_use]
pub fn passkey_json(passkey: &Passkey) -> Value {
    json!({
        "id": passkey.id.to_string(),
        "name": passkey.name.as_str(),
        "synced": passkey.credential.synced,
        "created_at": rfc3339(passkey.created_at),
        "last_used_at": passkey.last_used_at.map(rfc3339),
    })
}

/// The options for a browser, which a port made as JSON.
#[must_use]
pub fn options_json(options: &str) -> Value {
    serde_json::from_str(options).unwrap_or_default()
}

fn ceremony(ceremony: &PasskeyCeremony) -> axum::response::Response {
    let body = json!({
        "token": ceremony.token.expose(),
        "options": options_json(&ceremony.options),
        "expires_in": ceremony.expires_in.as_secs(),
    });
    json(StatusCode::OK, &body)
}

/// The required field `credential`; empty if it is missing, which `finish` reports.
fn credential(fields: &mut FormFields) -> String {
    if !fields.has("credential") {
        fields.refuse(Violation::new("credential", Code::Required));
    }
    fields.object("credential").unwrap_or_default()
}

/// The required field `name`; `None` if it is no name, which `finish` reports.
pub fn name(fields: &mut FormFields) -> Option<PasskeyName> {
    let required = fields.has("name");
    let text = fields.required_text("name");
    match PasskeyName::parse(&text) {
        Ok(name) => Some(name),
        Err(error) => {
            if required {
                fields.refuse(Violation::new("name", error.code()));
            }
            None
        }
    }
}
