//! The first factor of an account that must have one: the mailed code, and the factor.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::login::enrol::{Enrolled, EnrolmentChallenge, EnrolmentOffer, FirstFactor};
use serde_json::{Value, json};

use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::factors::qr_code;
use crate::http::openapi::operation::{JSON, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::passkeys::{credential_schema, name, options_json};
use crate::http::problem::Problem;
use crate::http::refresh_cookie::{RefreshCookie, delivery_schema};
use crate::http::response::json;
use crate::http::second_factors::mfa_required;

/// The methods that an account can begin with.
const METHODS: [FactorMethod; 3] = [FactorMethod::Passkey, FactorMethod::Totp, FactorMethod::Sms];

/// The schemas of the group.
pub fn schemas() -> Value {
    let methods = || json!({"type": "string", "enum": METHODS.map(FactorMethod::as_str)});
    json!({
        "EnrolmentCode": schemas::object(&["enrolment_token", "code"], json!({
            "enrolment_token": schemas::token("That of the login's answer."), "code": schemas::text("The six characters of the mail."),
        })),
        "EnrolmentOffer": schemas::object(&["enrolment_token", "expires_in", "methods", "totp", "passkey_options"], json!({
            "enrolment_token": schemas::token("Good for one factor."), "expires_in": {"type": "integer", "description": "Seconds."},
            "methods": {"type": "array", "items": methods(), "description": "The strongest first; `sms` where the phone is verified."},
            "totp": schemas::object(&["secret", "uri", "qr"], json!({
                "secret": schemas::text("The key, as base32, for typing."), "uri": schemas::text("The key as an `otpauth` URI."),
                "qr": schemas::text("The URI as a QR code, an SVG document."),
            })),
            "passkey_options": {"type": "object", "description": "For `navigator.credentials.create()`."},
        })),
        "FirstTokenPair": schemas::object(&["access_token", "token_type", "expires_in", "backup_codes"], json!({
            "access_token": schemas::text("A JWT (RFC 9068)."), "token_type": schemas::only("bearer"), "expires_in": {"type": "integer", "description": "Seconds."},
            "refresh_token": schemas::text("Opaque; good for one exchange. In cookie mode it is in the cookie instead."),
            "backup_codes": {"type": "array", "items": {"type": "string"}, "description": "Ten, shown this once. Each works once."},
        })),
        "FirstFactor": schemas::object(&["enrolment_token", "method"], json!({
            "enrolment_token": schemas::token("That of the offer."), "method": methods(), "otp": schemas::otp(), "credential": credential_schema(),
            "name": schemas::text("Of the passkey: 1 to 100 characters."), "token_delivery": delivery_schema(),
        })),
    })
}

pub static CONFIRM: Operation = Operation::new(
    "Confirm the mailbox of an account without a second factor",
    "The answer to `mfa_enrolment_required`: by the code that was mailed. The offer is good for ten minutes and one factor.",
    &[ok(200, "The factors to begin with, shown this once.", "EnrolmentOffer")],
)
.body(&[JSON], "EnrolmentCode")
.errors(&[Code::InvalidToken]);

pub async fn confirm(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let (token, code) = (fields.required_secret("enrolment_token"), fields.required_secret("code"));
    fields.finish()?;
    let logins = context.service().logins();
    let offer = logins.confirm_enrolment(&context.realm, token.expose(), code.expose()).await?;
    Ok(json(StatusCode::OK, &offer_json(&offer)?))
}

pub static ENROL: Operation = Operation::new(
    "Add the first factor and log in",
    "With the first code of the authenticator app in `otp`, or with the `credential` and a `name` of a new passkey. With \
     `method=sms` the answer is `mfa_required`, and a code is sent. Ends every other session, link and code of the account.",
    &[ok(200, "Logged in.", "FirstTokenPair")],
)
.body(&[JSON], "FirstFactor")
.errors(&[Code::InvalidToken, Code::MfaRequired, Code::PhoneNotVerified, Code::Forbidden]);

pub async fn enrol(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let delivery = cookie.take_delivery(&mut fields)?;
    let token = fields.required_secret("enrolment_token");
    let word = fields.required_text("method");
    let method = FactorMethod::parse(&word).filter(|method| METHODS.contains(method));
    let (mut response, mut passkey_name) = (None, None);
    match method {
        Some(FactorMethod::Totp) => response = Some(fields.required_secret("otp")),
        Some(FactorMethod::Passkey) => {
            if !fields.has("credential") {
                fields.refuse(Violation::new("credential", Code::Required));
            }
            response = fields.object("credential").map(SecretString::new);
            passkey_name = name(&mut fields);
        }
        None if !word.is_empty() => {
            let message = format!("must be one of {}", METHODS.map(FactorMethod::as_str).join(", "));
            fields.refuse(Violation::with_message("method", Code::ValueInvalid, message));
        }
        _ => {}
    }
    fields.finish()?;
    let response = response.as_ref().map(SecretString::expose).unwrap_or_default();
    let factor = match (method, passkey_name) {
        (Some(FactorMethod::Totp), _) => FirstFactor::Totp(response),
        (Some(FactorMethod::Passkey), Some(name)) => FirstFactor::Passkey { response, name },
        (Some(FactorMethod::Sms), _) => FirstFactor::Sms,
        // `finish` has reported a method or name that is none
        _ => return Err(Problem::internal()),
    };
    match context.service().logins().enrol(&context.realm, token.expose(), factor, &context.client).await? {
        Enrolled::Session(pair, codes) => {
            let codes: Value = codes.iter().map(TypedCode::grouped).collect();
            Ok(cookie.respond_with(delivery, &pair, &[("backup_codes", codes)]))
        }
        Enrolled::MfaRequired(challenge) => Err(mfa_required(&context, &challenge)),
    }
}

/// The answer that asks for the first factor.
pub fn enrolment_required(challenge: &EnrolmentChallenge) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, Code::MfaEnrolmentRequired)
        .oauth("mfa_enrolment_required")
        .member("enrolment_token", challenge.token.expose())
        .member("expires_in", challenge.expires_in.as_secs())
}

fn offer_json(offer: &EnrolmentOffer) -> Result<Value, Problem> {
    let methods: Vec<&str> = offer.methods.iter().map(|method| method.as_str()).collect();
    Ok(json!({
        "enrolment_token": offer.token.expose(),
        "expires_in": offer.expires_in.as_secs(),
        "methods": methods,
        "totp": {"secret": offer.secret.expose(), "uri": offer.uri.expose(), "qr": qr_code(&offer.uri)?},
        "passkey_options": options_json(&offer.passkey_options),
    }))
}
