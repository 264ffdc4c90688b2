//! Second factors: which are on, SMS, an authenticator app, backup codes.

use axum::response::{IntoResponse as _, Response};
use fast_qr::QRBuilder;
use fast_qr::convert::svg::SvgBuilder;
use http::StatusCode;
use portcullis_core::model::code::Code;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::user::FactorOverview;
use portcullis_core::use_cases::shared::caller::Caller;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::openapi::operation::{JSON, Operation, empty, ok};
use crate::http::openapi::schemas;
use crate::http::problem::Problem;
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    let codes = json!({"type": "array", "items": {"type": "string", "pattern": "^[0-9A-Z]{5}-[0-9A-Z]{5}$"}, "description": "Ten, shown this once. Each works once."});
    json!({
        "Factors": schemas::object(&["sms", "totp", "backup_codes", "passkeys"], json!({
            "sms": {"type": "boolean"}, "totp": {"type": "boolean"}, "backup_codes": {"type": "integer", "description": "How many are unused."},
            "passkeys": {"type": "integer", "description": "How many there are."},
        })),
        "OwnFactors": schemas::object(&["sms", "totp", "backup_codes", "passkeys", "required"], json!({
            "sms": {"type": "boolean"}, "totp": {"type": "boolean"}, "backup_codes": {"type": "integer", "description": "How many are unused."},
            "passkeys": {"type": "integer", "description": "How many there are."},
            "required": {"type": "boolean", "description": "Whether the account must have a second factor, so that the last one can't be removed."},
        })),
        "FactorChange": schemas::object(&["sms"], json!({"sms": {"type": "boolean"}, "password": schemas::known_password("Instead of a recent login.")})),
        "FactorProof": schemas::object(&[], json!({"password": schemas::known_password("Instead of a recent login.")})),
        "TotpEnrolment": schemas::object(&["secret", "uri", "qr", "expires_in"], json!({
            "secret": schemas::text("The key, as base32, for typing."), "uri": schemas::text("The key as an `otpauth` URI."),
            "qr": schemas::text("The URI as a QR code, an SVG document."), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "TotpConfirmation": schemas::object(&["otp"], json!({"otp": schemas::otp()})),
        "BackupCodes": schemas::object(&["backup_codes"], json!({"backup_codes": codes})),
    })
}

pub static SHOW: Operation =
    Operation::new("Your second factors", "Which are on.", &[ok(200, "The factors.", "OwnFactors")]);

pub async fn show(context: RealmContext, Authenticated(caller): Authenticated) -> HandlerResult {
    Ok(json(StatusCode::OK, &own_factors(&context, &caller, context.service().factors().factor_overview(&caller)?)))
}

pub static SET_SMS: Operation = Operation::new(
    "Switch codes by SMS",
    "Needs recent authentication, or the password. On needs a verified phone. Ends every other session, link and code \
     of the account.",
    &[ok(200, "The factors.", "OwnFactors")],
)
.body(&[JSON], "FactorChange")
.errors(&[
    Code::PhoneNotVerified,
    Code::LastFactor,
    Code::TooManyChanges,
    Code::ReauthenticationRequired,
    Code::WrongPassword,
    Code::Overloaded,
]);

pub async fn set_sms(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let sms = fields.required_flag("sms");
    let password = fields.secret("password");
    fields.finish()?;
    let reauthentication = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    let factors = context.service().factors().set_mfa_sms(&caller, sms, reauthentication).await?;
    Ok(json(StatusCode::OK, &own_factors(&context, &caller, factors)))
}

pub static BEGIN_TOTP: Operation = Operation::new(
    "Begin with an authenticator app",
    "Needs recent authentication, or the password. The key counts once `PUT` has its first code, in the same session.",
    &[ok(201, "The key, shown this once.", "TotpEnrolment")],
)
.optional_body(&[JSON], "FactorProof")
.errors(&[Code::TotpOn, Code::ReauthenticationRequired, Code::WrongPassword, Code::Overloaded]);

pub async fn begin_totp(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let password = password(&input)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    let enrolment = context.service().factors().begin_totp(&caller, given).await?;
    let body = json!({
        "secret": enrolment.secret.expose(),
        "uri": enrolment.uri.expose(),
        "qr": qr_code(&enrolment.uri)?,
        "expires_in": enrolment.expires_in.as_secs(),
    });
    Ok(json(StatusCode::CREATED, &body))
}

pub static CONFIRM_TOTP: Operation = Operation::new(
    "Switch the authenticator app on",
    "By its first code. Ends every other session, link and code of the account, and kills older backup codes.",
    &[ok(200, "It is on.", "BackupCodes")],
)
.body(&[JSON], "TotpConfirmation")
.errors(&[Code::InvalidToken, Code::TotpOn, Code::TooManyChanges]);

pub async fn confirm_totp(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let otp = fields.required_secret("otp");
    fields.finish()?;
    Ok(backup_codes(&context.service().factors().confirm_totp(&caller, otp.expose()).await?))
}

pub static REMOVE_TOTP: Operation = Operation::new(
    "Remove the authenticator app",
    "Needs recent authentication with a second factor other than SMS. Ends every other session, link and code of the \
     account; where no other factor is on, the backup codes too.",
    &[empty(204, "It is off.")],
)
.optional_body(&[JSON], "FactorProof")
.errors(&[
    Code::LastFactor,
    Code::TooManyChanges,
    Code::ReauthenticationRequired,
    Code::WrongPassword,
    Code::Overloaded,
]);

pub async fn remove_totp(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let password = password(&input)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    context.service().factors().remove_totp(&caller, given).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub static NEW_BACKUP_CODES: Operation = Operation::new(
    "Make new backup codes",
    "Ten; the older ones die. Needs recent authentication, and with an authenticator app a second factor other than SMS. \
     Ends every other session, link and code of the account.",
    &[ok(200, "The codes.", "BackupCodes")],
)
.optional_body(&[JSON], "FactorProof")
.errors(&[Code::MfaOff, Code::TooManyChanges, Code::ReauthenticationRequired, Code::WrongPassword, Code::Overloaded]);

pub async fn new_backup_codes(
    context: RealmContext,
    Authenticated(caller): Authenticated,
    input: Input,
) -> HandlerResult {
    let password = password(&input)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    Ok(backup_codes(&context.service().factors().create_backup_codes(&caller, given).await?))
}

/// The factors, and whether the account must have one.
fn own_factors(context: &RealmContext, caller: &Caller, factors: FactorOverview) -> Value {
    let mut body = factors_json(factors);
    if let Some(members) = body.as_object_mut() {
        members.insert("required".to_owned(), json!(context.service().needs_factor(&caller.user)));
    }
    body
}

/// The second factors in JSON.
#[must_use]
pub fn factors_json(factors: FactorOverview) -> Value {
    json!({"sms": factors.sms, "totp": factors.totp, "backup_codes": factors.backup_codes, "passkeys": factors.passkeys})
}

/// The optional body `{"password"}`.
pub fn password(input: &Input) -> Result<Option<SecretString>, Problem> {
    let mut fields = input.optional_body(Accepts::Json)?;
    let password = fields.secret("password");
    fields.finish()?;
    Ok(password)
}

fn backup_codes(codes: &[TypedCode]) -> Response {
    let codes: Vec<String> = codes.iter().map(TypedCode::grouped).collect();
    json(StatusCode::OK, &json!({"backup_codes": codes}))
}

/// A text as a QR code, an SVG document. A text too long for one is an address of more than a thousand characters, which
/// can't be.
pub fn qr_code(text: &SecretString) -> Result<String, Problem> {
    let code = QRBuilder::new(text.expose()).build().map_err(|_| Problem::internal())?;
    Ok(SvgBuilder::default().to_str(&code))
}
