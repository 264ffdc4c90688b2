//! An account begins: create, the mailed link and code, and the mail once more.

use axum::response::Response;
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::use_cases::errors::StoryError;
use portcullis_core::use_cases::verify_email::{LinkPreview, Verified};
use serde_json::json;

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;
use crate::http::members::Members;
use crate::http::negotiation::{Wants, only_json, wants};
use crate::http::pages::{page, people_time};
use crate::http::problem::Problem;

/// `POST /create`.
///
/// # Errors
/// As the contract lists them.
pub async fn create(context: Context) -> Answer {
    let mut members = context.body(Accepts::Json)?;
    let [first_name, last_name, email, phone, country_code, password] =
        ["first_name", "last_name", "email", "phone", "country_code", "password"].map(|name| members.text(name));
    let form = RegistrationForm {
        first_name: first_name.as_deref(),
        last_name: last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        country_code: country_code.as_deref(),
        password: password.as_deref(),
    };
    let id = context.service().register(context.realm()?, form, members.violations()).await?;
    let body = json!({"message": "User created successfully", "id": id.to_string(), "email": "[ENCRYPTED]"});
    Ok(json(StatusCode::CREATED, &body))
}

/// `POST /resend_verification`.
///
/// # Errors
/// As the contract lists them.
pub async fn resend(context: Context) -> Answer {
    let mut members = context.body(Accepts::Json)?;
    let email = members.required_text("email");
    members.finish()?;
    context.service().resend_verification(context.realm()?, &email).await?;
    let message = "If a registration waits for this address, its e-mail was sent again";
    Ok(json(StatusCode::ACCEPTED, &json!({"message": message})))
}

/// `GET /verify?token=`: a page with one button, for mail scanners open links. Only a client that takes nothing but
/// JSON verifies at once.
///
/// # Errors
/// As the contract lists them.
pub async fn verify_page(context: Context) -> Answer {
    let mut query = context.query()?;
    let token = query.required_text("token");
    query.finish()?;
    let (service, realm) = (context.service(), context.realm()?);
    if only_json(&context.headers) {
        let verified = service.verify_link(realm, &token).await?;
        return Ok(verified_json(verified));
    }
    let preview = match service.preview_link(realm, &token).await {
        Err(StoryError::InvalidToken) => return failed(&context),
        other => other?,
    };
    let (template, first_name, at) = match preview {
        LinkPreview::Registration { first_name, at } => ("verify_button.html", first_name, at),
        LinkPreview::EmailChange { first_name, at } => ("email_change_button.html", first_name, at),
    };
    let values = json!({
        "app_name": service.policy.app_name,
        "first_name": first_name.as_str(),
        "at": people_time(at),
        "action": format!("/{realm}/verify"),
        "token": token,
    });
    page(&context.app, StatusCode::OK, template, values)
}

/// `POST /verify`: the button, or the typed code.
///
/// # Errors
/// As the contract lists them.
pub async fn verify(context: Context) -> Answer {
    let mut members = context.query_or_body(Accepts::JsonOrForm)?;
    let outcome = match verify_members(&context, &mut members).await {
        Err(problem) => Err(problem),
        Ok(Asked::Rejected) => return rejected(&context),
        Ok(Asked::Verified(verified)) => Ok(verified),
    };
    let wants_page = wants(&context.headers, Wants::Page) == Wants::Page;
    match outcome {
        Ok(verified) if !wants_page => Ok(verified_json(verified)),
        Ok(_) => {
            let values = json!({"app_name": context.service().policy.app_name});
            page(&context.app, StatusCode::OK, "email_verified.html", values)
        }
        Err(problem) if wants_page && problem.status == StatusCode::BAD_REQUEST => failed(&context),
        Err(problem) => Err(problem),
    }
}

enum Asked {
    Verified(Verified),
    Rejected,
}

async fn verify_members(context: &Context, members: &mut Members) -> Result<Asked, Problem> {
    let (service, realm) = (context.service(), context.realm()?);
    let (token, email, code) = (members.text("token"), members.text("email"), members.text("code"));
    let reject = members.flag("reject");
    let mut rest = std::mem::take(members);
    if token.is_none() {
        for (name, value) in [("email", &email), ("code", &code)] {
            if value.is_none() {
                rest.refuse(Violation::new(name, Code::Required));
            }
        }
    } else {
        for (name, value) in [("email", &email), ("code", &code)] {
            if value.is_some() {
                let message = "a token stands alone";
                let code = Code::ValueInvalid;
                rest.refuse(Violation::with_message(name, code, message));
            }
        }
    }
    rest.finish()?;
    match (token, reject) {
        (Some(token), true) => {
            service.reject_link(realm, &token).await?;
            Ok(Asked::Rejected)
        }
        (Some(token), false) => Ok(Asked::Verified(service.verify_link(realm, &token).await?)),
        (None, _) => {
            let (email, code) = (email.unwrap_or_default(), code.unwrap_or_default());
            Ok(Asked::Verified(service.verify_code(realm, &email, &code).await?))
        }
    }
}

fn verified_json(verified: Verified) -> Response {
    let (message, id) = match verified {
        Verified::Account(id) => ("Email verified successfully", id),
        Verified::EmailChange(id) => ("Email changed successfully", id),
    };
    json(StatusCode::OK, &json!({"message": message, "id": id.to_string()}))
}

fn rejected(context: &Context) -> Answer {
    if wants(&context.headers, Wants::Page) == Wants::Json {
        return Ok(json(StatusCode::OK, &json!({"message": "Registration rejected"})));
    }
    let values = json!({"app_name": context.service().policy.app_name});
    page(&context.app, StatusCode::OK, "registration_rejected.html", values)
}

fn failed(context: &Context) -> Answer {
    let values = json!({"app_name": context.service().policy.app_name});
    page(&context.app, StatusCode::BAD_REQUEST, "email_verified_failed.html", values)
}
