//! The second factor of a login, and step-up.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::login::step_up::{StepUpFactor, SteppedUp};
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use portcullis_core::use_cases::shared::otp::FactorChallenge;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{FORM, JSON, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::passkeys::{credential_schema, options_json};
use crate::http::problem::Problem;
use crate::http::refresh_cookie::{RefreshCookie, delivery_schema};
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "SecondFactor": schemas::object(&["mfa_token"], json!({
            "mfa_token": schemas::token("The challenge of the login."), "method": method_schema(), "otp": factor_code_schema(), "credential": credential_schema(), "token_delivery": delivery_schema(),
            "remember_device": {"type": "boolean", "description": "Whether the next login from this device needs no second factor, for 30 days. False where it is missing."},
        })),
        "StepUp": schemas::object(&["password"], json!({
            "password": schemas::known_password("The password."), "mfa_token": schemas::token("The challenge of the first answer. A code by SMS and a passkey need it."),
            "method": method_schema(), "otp": factor_code_schema(), "credential": credential_schema(),
        })),
        "CodeSent": schemas::object(&["message", "expires_in"], json!({
            "message": schemas::text("For people."), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "AccessToken": schemas::object(&["access_token", "token_type", "expires_in"], json!({
            "access_token": schemas::text("A JWT (RFC 9068) whose `auth_time` is now."), "token_type": schemas::only("bearer"), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
    })
}

fn method_schema() -> Value {
    json!({"type": "string", "enum": FactorMethod::ALL.map(FactorMethod::as_str), "description": "By default `credential` is of a passkey, and of a code its form decides; six digits are of the authenticator app where one is on, else of the SMS."})
}

fn factor_code_schema() -> Value {
    schemas::text("Six digits, or the ten characters of a backup code.")
}

pub static LOGIN_MFA: Operation = Operation::new(
    "Complete a login with a second factor",
    "Answers the challenge of a login: with `otp`, or with the `credential` of a passkey that has signed the \
     `passkey_options` of the challenge. With `method=sms` and without `otp`, a code is sent for it.",
    &[ok(200, "Logged in.", "TokenPair"), ok(202, "The code is on its way.", "CodeSent")],
)
.body(&[JSON, FORM], "SecondFactor")
.errors(&[Code::InvalidToken, Code::Forbidden]);

pub async fn login_mfa(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::JsonOrForm)?;
    let delivery = cookie.take_delivery(&mut fields)?;
    let mfa_token = fields.required_secret("mfa_token");
    let remember = fields.flag("remember_device");
    let FactorFields { method, answer, name } = FactorFields::take(&mut fields);
    if answer.is_none() && method != Some(FactorMethod::Sms) {
        fields.refuse(Violation::new(name, Code::Required));
    }
    fields.finish()?;
    let (realm, logins) = (&context.realm, context.service().logins());
    let Some(answer) = answer else {
        logins.send_login_code(realm, mfa_token.expose()).await?;
        let expires_in = context.service().policy.lifetimes.otp.as_secs();
        let body = json!({"message": "OTP generated successfully", "expires_in": expires_in});
        return Ok(json(StatusCode::ACCEPTED, &body));
    };
    let answer = answer.expose();
    if !remember {
        let pair = logins.log_in_second_factor(realm, mfa_token.expose(), method, answer, &context.client).await?;
        return Ok(cookie.respond(delivery, &pair));
    }
    let answer = (mfa_token.expose(), method, answer);
    let (pair, device) = logins.log_in_and_remember(realm, answer, &context.client).await?;
    let device = device.map(|token| ("device_token", Value::String(token.expose())));
    Ok(cookie.respond_with(delivery, &pair, device.as_slice()))
}

/// The fields of a second factor.
struct FactorFields {
    method: Option<FactorMethod>,
    /// The code, or the credential as JSON.
    answer: Option<SecretString>,
    /// The name of the field of the answer.
    name: &'static str,
}

impl FactorFields {
    /// Takes `method`, and `credential` for a passkey or `otp` for another method.
    fn take(fields: &mut FormFields) -> Self {
        let method = factor_method(fields);
        if method == Some(FactorMethod::Passkey) || (method.is_none() && fields.has("credential")) {
            let answer = fields.object("credential").map(SecretString::new);
            return Self { method: Some(FactorMethod::Passkey), answer, name: "credential" };
        }
        Self { method, answer: fields.secret("otp"), name: "otp" }
    }
}

/// The field `method`.
fn factor_method(fields: &mut FormFields) -> Option<FactorMethod> {
    let text = fields.text("method")?;
    let method = FactorMethod::parse(&text);
    if method.is_none() {
        let message = format!("must be one of {}", FactorMethod::ALL.map(FactorMethod::as_str).join(", "));
        fields.refuse(Violation::with_message("method", Code::ValueInvalid, message));
    }
    method
}

pub static STEP_UP: Operation = Operation::new(
    "Authenticate once more",
    "For what needs recent authentication (RFC 9470). Where a second factor is on and `otp` or `credential` is missing, the answer is \
     `mfa_required`, and a code is sent where SMS is the factor, or `method` is `sms`; repeat the call with the code or \
     credential, for SMS and a passkey with the `mfa_token`. The refresh token stays as it is.",
    &[ok(200, "A new access token.", "AccessToken")],
)
.body(&[JSON], "StepUp")
.example(r#"{"password":"harbour-tulip-42-Window"}"#)
.errors(&[Code::WrongPassword, Code::MfaRequired, Code::InvalidToken, Code::Overloaded]);

pub async fn step_up(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let password = fields.required_secret("password");
    let FactorFields { method, answer, name } = FactorFields::take(&mut fields);
    let challenge = fields.secret("mfa_token");
    let needs_challenge = |answer: &SecretString| match method {
        Some(method) => matches!(method, FactorMethod::Sms | FactorMethod::Passkey),
        None => caller.user.factors.totp.is_none() && TypedCode::parse_backup(answer.expose()).is_none(),
    };
    for (missing, name) in [
        (challenge.is_none() && answer.as_ref().is_some_and(needs_challenge), "mfa_token"),
        (challenge.is_some() && answer.is_none(), name),
    ] {
        if missing {
            fields.refuse(Violation::new(name, Code::Required));
        }
    }
    fields.finish()?;
    let challenge = challenge.as_ref().map(SecretString::expose);
    let factor = match &answer {
        Some(answer) => StepUpFactor::Answer(FactorAnswer { method, challenge, response: answer.expose() }),
        None => StepUpFactor::Ask { sms: method == Some(FactorMethod::Sms) },
    };
    match context.service().logins().step_up(&caller, password.expose(), factor, &context.client).await? {
        SteppedUp::Token(token) => {
            let expires_in = context.service().policy.lifetimes.access.as_secs();
            let body = json!({"access_token": token.expose(), "token_type": "bearer", "expires_in": expires_in});
            Ok(json(StatusCode::OK, &body))
        }
        SteppedUp::MfaRequired(challenge) => Err(mfa_required(&context, &challenge)),
    }
}

/// The answer that asks for a second factor.
pub fn mfa_required(context: &RealmContext, challenge: &FactorChallenge) -> Problem {
    let methods: Vec<&str> = challenge.methods.iter().map(|method| method.as_str()).collect();
    let problem = Problem::new(StatusCode::FORBIDDEN, Code::MfaRequired)
        .oauth("mfa_required")
        .member("mfa_token", challenge.token.expose())
        .member("methods", methods)
        .member("expires_in", context.service().policy.lifetimes.otp.as_secs());
    match challenge.passkey_options.as_deref().map(options_json) {
        Some(options) => problem.member("passkey_options", options),
        None => problem,
    }
}
