//! Registration: create, the link and code of the mail, and sending the mail again.

use axum::response::Response;
use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::registration::verify_email::{LinkEffect, Verified};
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::form_fields::FormFields;
use crate::http::negotiation::{only_json, prefers_page};
use crate::http::openapi::operation::{FORM, JSON, Operation, ok, page_or, required};
use crate::http::openapi::schemas;
use crate::http::pages::{human_time, page};
use crate::http::problem::Problem;
use crate::http::response::json;

/// Letters of a first name on the page: a stranger may have chosen it.
const FIRST_NAME_SHOWN: usize = 20;
const PASSWORD_NEEDED: &str = "The password of the registration, where another one of the address was pending too.";

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Registration": schemas::object(&["first_name", "email", "phone", "country_code", "password"], json!({
            "first_name": schemas::first_name(), "last_name": schemas::last_name(), "email": schemas::email(), "phone": schemas::phone(),
            "country_code": schemas::country_code(), "password": schemas::password(),
        })),
        "Address": schemas::object(&["email"], json!({"email": schemas::email()})),
        "Verification": json!({"oneOf": [
            schemas::object(&["token"], json!({"token": schemas::token("The token of the link."), "password": schemas::known_password(PASSWORD_NEEDED), "reject": {"type": "boolean", "description": "Throws the registration or the change of address away."}})),
            schemas::object(&["email", "code"], json!({"email": schemas::email(), "code": schemas::code(), "password": schemas::known_password(PASSWORD_NEEDED)})),
        ]}),
        "Created": schemas::object(&["message", "id", "email"], json!({"message": schemas::text("For people."), "id": schemas::id("usr"), "email": schemas::only("[ENCRYPTED]")})),
        "Verified": schemas::object(&["message"], json!({"message": schemas::text("For people."), "id": schemas::id("usr")})),
    })
}

pub static CREATE: Operation = Operation::new(
    "Register",
    "Makes a pending registration and mails its link and code. The answer is the same whether \
     or not the address has an account.",
    &[ok(201, "A registration waits for its link, or the owner of the address was told.", "Created")],
)
.body(&[JSON], "Registration")
.errors(&[Code::EmailTaken, Code::Overloaded]);

pub async fn create(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let [first_name, last_name, email, phone, country_code] =
        ["first_name", "last_name", "email", "phone", "country_code"].map(|name| fields.text(name));
    let password = fields.secret("password");
    let form = RegistrationForm {
        first_name: first_name.as_deref(),
        last_name: last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        country_code: country_code.as_deref(),
        password: password.as_ref().map(SecretString::expose),
    };
    let id =
        context.service().registrations().register(&context.realm, form, fields.violations(), &context.client).await?;
    let body = json!({"message": "User created successfully", "id": id.to_string(), "email": "[ENCRYPTED]"});
    Ok(json(StatusCode::CREATED, &body))
}

pub static RESEND: Operation = Operation::new(
    "Send the verification mail again",
    "For each registration that waits for the address. The same answer for every address.",
    &[ok(202, "Accepted.", "Message")],
)
.body(&[JSON], "Address");

pub async fn resend(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let email = fields.required_text("email");
    fields.finish()?;
    context.service().registrations().resend_verification(&context.realm, &email, &context.client).await?;
    let message = "If a registration waits for this address, its e-mail was sent again";
    Ok(json(StatusCode::ACCEPTED, &json!({"message": message})))
}

pub static VERIFY_PAGE: Operation = Operation::new(
    "Open a verification link",
    "A page with one button: mail scanners open links, so this changes nothing. Only `Accept: \
     application/json` alone verifies at once.",
    &[page_or(200, "The page, or for JSON alone the verification.", "Verified")],
)
.query(&[required("token", "The token of the link, 43 characters.")])
.errors(&[Code::InvalidToken])
.failure_pages();

/// `GET /verify?token=`: a page with one button, because mail scanners open links. A client that accepts only JSON verifies
/// at once.
pub async fn verify_page(context: RealmContext, input: Input) -> HandlerResult {
    let mut query = input.query()?;
    let token = query.required_secret("token");
    query.finish_ignoring_unknown()?;
    let (service, realm) = (context.service(), &context.realm);
    if only_json(&input.headers) {
        let verified = service.registrations().verify_link(realm, token.expose(), None).await?;
        return Ok(verified_json(verified));
    }
    let preview = match service.registrations().preview_link(realm, token.expose()).await {
        Err(AuthError::InvalidToken) => return failed(&context, &context.client.locale),
        other => other?,
    };
    let (template, first_name, at, needs_password) = match preview.effect {
        LinkEffect::Registration { first_name, at, needs_password } => {
            ("verify_button.html", first_name, at, needs_password)
        }
        LinkEffect::EmailChange { first_name, at } => ("email_change_button.html", first_name, at, false),
    };
    let values = json!({
        "app_name": service.policy.app_name,
        "first_name": first_name.as_str().chars().take(FIRST_NAME_SHOWN).collect::<String>(),
        "needs_password": needs_password,
        "at": human_time(at),
        "action": format!("{}/{realm}/verify", context.app.path_prefix),
        "token": token.expose(),
    });
    page(&context.app, StatusCode::OK, template, &preview.locale, values)
}

pub static VERIFY: Operation = Operation::new(
    "Verify an address",
    "By the token of the link, or by the address and the six characters of the same mail. Five \
     wrong tries kill the code, not the link. `reject=true` with the token throws the \
     registration away. If another registration of the address was pending during the life of \
     this one, both need its `password` too; five wrong ones end it. Also makes a changed \
     address count.",
    &[page_or(200, "The account exists.", "Verified")],
)
.body(&[JSON, FORM], "Verification")
.example(r#"{"email":"john.doe@example.com","code":"K7MXPQ"}"#)
.errors(&[Code::InvalidToken, Code::WrongPassword, Code::Overloaded])
.failure_pages();

/// `POST /verify`: the button of the page, or the code of the mail.
pub async fn verify(context: RealmContext, input: Input) -> HandlerResult {
    let fields = input.query_or_body(Accepts::JsonOrForm)?;
    if !prefers_page(&input.headers) {
        return Ok(match verify_fields(&context, fields).await? {
            Outcome::Rejected => json(StatusCode::OK, &json!({"message": "Registration rejected"})),
            Outcome::Verified(verified) => verified_json(verified),
        });
    }
    let locale = reader_of(&context, &fields).await;
    let outcome = verify_fields(&context, fields).await;
    let values = json!({"app_name": context.service().policy.app_name});
    match outcome {
        Ok(Outcome::Rejected) => page(&context.app, StatusCode::OK, "registration_rejected.html", &locale, values),
        Ok(Outcome::Verified(_)) => page(&context.app, StatusCode::OK, "email_verified.html", &locale, values),
        Err(problem) if problem.status == StatusCode::BAD_REQUEST => failed(&context, &locale),
        Err(problem) => Err(problem),
    }
}

/// The language of the page that answers a link: that of the account or registration, before the link is used.
async fn reader_of(context: &RealmContext, fields: &FormFields) -> Locale {
    let preview = match fields.peek_secret("token") {
        Some(token) => context.service().registrations().preview_link(&context.realm, token.expose()).await.ok(),
        None => None,
    };
    preview.map_or_else(|| context.client.locale.clone(), |preview| preview.locale)
}

enum Outcome {
    Verified(Verified),
    Rejected,
}

async fn verify_fields(context: &RealmContext, mut fields: FormFields) -> Result<Outcome, Problem> {
    let (service, realm) = (context.service(), &context.realm);
    let (token, email, code) = (fields.secret("token"), fields.text("email"), fields.secret("code"));
    let password = fields.secret("password");
    let reject = fields.flag("reject");
    if token.is_none() {
        for (name, given) in [("email", email.is_some()), ("code", code.is_some())] {
            if !given {
                fields.refuse(Violation::new(name, Code::Required));
            }
        }
    } else {
        for (name, given) in [("email", email.is_some()), ("code", code.is_some())] {
            if given {
                let message = "a token stands alone";
                let code = Code::ValueInvalid;
                fields.refuse(Violation::with_message(name, code, message));
            }
        }
    }
    fields.finish()?;
    let password = password.as_ref().map(SecretString::expose);
    match (token, reject) {
        (Some(token), true) => {
            service.registrations().reject_link(realm, token.expose()).await?;
            Ok(Outcome::Rejected)
        }
        (Some(token), false) => {
            Ok(Outcome::Verified(service.registrations().verify_link(realm, token.expose(), password).await?))
        }
        (None, _) => {
            let (email, code) = (email.unwrap_or_default(), code.unwrap_or_else(|| SecretString::new("")));
            Ok(Outcome::Verified(service.registrations().verify_code(realm, &email, code.expose(), password).await?))
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

fn failed(context: &RealmContext, locale: &Locale) -> HandlerResult {
    let values = json!({"app_name": context.service().policy.app_name});
    page(&context.app, StatusCode::BAD_REQUEST, "email_verified_failed.html", locale, values)
}
