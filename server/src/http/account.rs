//! The account itself: second factor, export, deletion.

use axum::response::Response;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use portcullis_core::model::email::Email;
use portcullis_core::use_cases::mfa::Proof;
use serde_json::{Value, json};

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;
use crate::http::pages::rfc3339;
use crate::http::profile::OnTheWire;
use crate::http::sessions::session_json;

/// `GET /mfa`.
///
/// # Errors
/// As the contract lists them.
pub async fn mfa(context: Context) -> Answer {
    Ok(factors(context.caller()?.user.mfa_sms))
}

/// `PUT /mfa`.
///
/// # Errors
/// As the contract lists them.
pub async fn set_mfa(context: Context) -> Answer {
    let mut members = context.body(Accepts::Json)?;
    let sms = members.required_flag("sms");
    let (password, token, otp) = (members.text("password"), members.text("token"), members.text("otp"));
    members.finish()?;
    let proof = match (&password, &token, &otp) {
        (Some(password), _, _) => Proof::Password(password),
        (None, Some(token), Some(otp)) => Proof::Otp { token, otp },
        _ => Proof::Nothing,
    };
    context.service().set_mfa_sms(context.caller()?, sms, proof, &context.client).await?;
    Ok(factors(sms))
}

fn factors(sms: bool) -> Response {
    json(StatusCode::OK, &json!({"sms": sms}))
}

/// `GET /export`.
///
/// # Errors
/// As the contract lists them.
pub async fn export(context: Context) -> Answer {
    let export = context.service().export(context.caller()?).await?;
    let events = export.events.iter().map(|event| {
        json!({
            "at": rfc3339(event.at),
            "event": event.kind.as_str(),
            "session": event.session.map(|session| session.to_string()),
        })
    });
    let body = json!({
        "profile": OnTheWire::of(&export.profile),
        "previous_email": export.previous_email.as_ref().map(Email::as_str),
        "sessions": export.sessions.iter().map(session_json).collect::<Vec<Value>>(),
        "events": events.collect::<Vec<Value>>(),
    });
    let mut response = json(StatusCode::OK, &body);
    let name = HeaderValue::from_static("attachment; filename=\"export.json\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

/// `DELETE /delete`.
///
/// # Errors
/// As the contract lists them.
pub async fn delete(context: Context) -> Answer {
    let password = if context.body.is_empty() {
        None
    } else {
        let mut members = context.body(Accepts::JsonOrForm)?;
        let password = members.text("password");
        members.finish()?;
        password
    };
    context.service().delete_account(context.caller()?, password.as_deref(), &context.client).await?;
    Ok(json(StatusCode::OK, &json!({"message": "User deleted successfully"})))
}
