//! Second factors of `POST /__test__/factors`: the code of an authenticator app, and passkeys of an authenticator in
//! software. The server keeps nothing of them: the client keeps the key of the app, and the passkey.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use portcullis_core::model::totp::{TotpSecret, step_at};
use serde_json::{Map, Value, json};

use super::{members_of, testkit, wrong};
use crate::http::app::App;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::Input;
use crate::http::openapi::operation::{JSON, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::passkeys::credential_schema;
use crate::http::problem::Problem;
use crate::http::response::json;
use crate::testkit::authenticator::{Authenticator, SYNCED};

/// The schemas of the endpoint.
pub fn schemas() -> Value {
    let options = |about: &str| json!({"type": "object", "description": about});
    json!({
        "TestFactor": schemas::object(&[], json!({
            "secret": schemas::text("The key of an app, as `POST /mfa/totp` answered it: its code is wanted."),
            "create": options("The options of a new passkey: it is wanted."),
            "synced": {"type": "boolean", "default": false, "description": "Whether the new passkey may be on more than one device."},
            "get": options("The options of a login or step-up: the signature of `passkey` is wanted."),
            "passkey": schemas::text("The passkey that signs, as it was answered when it was made."),
            "origin": schemas::text("The page in whose browser that is; the first origin of the server that may use passkeys, where none is given."),
        })),
        "TestFactorAnswer": schemas::object(&[], json!({
            "code": schemas::otp(), "credential": credential_schema(),
            "passkey": schemas::text("The new passkey with its private key, for the next signatures."),
        })),
    })
}

pub static FACTORS: Operation = Operation::new(
    "Answer a second factor",
    "One of three: the code of an authenticator app, at the test kit's time (a code works once: move the clock by a minute \
     for the next one); a new passkey of an authenticator in software; its signature.",
    &[ok(200, "The code, or the passkey's response.", "TestFactorAnswer")],
)
.body(&[JSON], "TestFactor");

pub async fn factors(State(app): State<Arc<App>>, input: Input) -> HandlerResult {
    let testkit = testkit(&app)?;
    let members = members_of(&input, &["secret", "create", "synced", "get", "passkey", "origin"])?;
    let wanted: Vec<&str> =
        ["secret", "create", "get"].into_iter().filter(|name| members.contains_key(*name)).collect();
    let answer = match wanted[..] {
        ["secret"] => {
            let key = members.get("secret").and_then(Value::as_str).and_then(TotpSecret::parse);
            let key = key.ok_or_else(|| wrong("secret", "must be the key of an app, 32 characters of base32"))?;
            let code = key.code_of(step_at(testkit.now())).ok_or_else(Problem::internal)?;
            json!({"code": code.expose()})
        }
        ["create"] => new_passkey(&app, &members)?,
        ["get"] => signature(&app, &members)?,
        _ => return Err(wrong("secret", "one of secret, create and get is needed")),
    };
    Ok(json(StatusCode::OK, &answer))
}

fn new_passkey(app: &App, members: &Map<String, Value>) -> Result<Value, Problem> {
    let mut authenticator = Authenticator::new(&origin(app, members)?).ok_or_else(Problem::internal)?;
    match members.get("synced") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => authenticator.flags |= SYNCED,
        Some(_) => return Err(wrong("synced", "must be true or false")),
    }
    let made = members.get("create").and_then(|options| authenticator.create(options));
    let credential = made.ok_or_else(|| wrong("create", "must be the options of a new passkey"))?;
    let passkey = authenticator.export().ok_or_else(Problem::internal)?;
    Ok(json!({"credential": credential, "passkey": passkey}))
}

fn signature(app: &App, members: &Map<String, Value>) -> Result<Value, Problem> {
    let passkey = members.get("passkey").and_then(Value::as_str).unwrap_or_default();
    let authenticator = Authenticator::import(&origin(app, members)?, passkey);
    let authenticator = authenticator.ok_or_else(|| wrong("passkey", "must be what was answered for `create`"))?;
    let signed = members.get("get").and_then(|options| authenticator.get(options));
    Ok(json!({"credential": signed.ok_or_else(|| wrong("get", "must be the options of a passkey's use"))?}))
}

fn origin(app: &App, members: &Map<String, Value>) -> Result<String, Problem> {
    match members.get("origin") {
        None => app.passkey_origins.first().cloned().ok_or_else(|| wrong("origin", "the server has none of its own")),
        Some(origin) => origin.as_str().map(str::to_owned).ok_or_else(|| wrong("origin", "must be a text")),
    }
}
