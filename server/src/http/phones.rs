//! Verification of the phone on record.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::message::Channel;
use serde_json::{Value, json};

use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::openapi::operation::{JSON, Operation, ok, optional, required};
use crate::http::openapi::schemas;
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "OtpRequest": schemas::object(&[], json!({"id": schemas::id("usr"), "phone": schemas::phone(), "channel": {"type": "string", "enum": ["sms", "voice"], "default": "sms"}})),
        "OtpAnswer": schemas::object(&["token", "otp"], json!({"token": schemas::token("The challenge."), "otp": schemas::otp()})),
        "Challenge": schemas::object(&["message", "token", "expires_in"], json!({
            "message": schemas::text("For people."), "token": schemas::text("The challenge."), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
    })
}

pub static SEND_OTP: Operation = Operation::new(
    "Send a code to the phone on record",
    "Only ever to the number on record of that user. The same answer for every id and number.",
    &[ok(202, "A challenge; its code was sent if the number is the one on record.", "Challenge")],
)
.query(&[
    optional("id", "The user's id; or in the body."),
    optional("phone", "The number on record; or in the body."),
    optional("channel", "`sms` (default) or `voice`; or in the body."),
])
.optional_body(&[JSON], "OtpRequest");

pub async fn send_otp(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.query_or_body(Accepts::Json)?;
    let (id, phone) = (fields.required_text("id"), fields.required_text("phone"));
    let channel = fields.text("channel").unwrap_or_else(|| Channel::Sms.as_str().to_owned());
    let channel = Channel::parse(&channel).unwrap_or_else(|| {
        fields.refuse(Violation::with_message("channel", Code::ValueInvalid, "must be sms or voice"));
        Channel::Sms
    });
    fields.finish()?;
    let service = context.service();
    let token = service.factors().send_otp(&context.realm, &id, &phone, channel).await?;
    let expires_in = service.policy.lifetimes.otp.as_secs();
    let body = json!({"message": "OTP generated successfully", "token": token.expose(), "expires_in": expires_in});
    Ok(json(StatusCode::ACCEPTED, &body))
}

pub static VERIFY_OTP: Operation = Operation::new(
    "Verify the phone",
    "Answers a challenge with the six digits that were sent. Five wrong tries kill it.",
    &[ok(200, "The phone on record is verified.", "Message")],
)
.query(&[required("token", "The challenge."), required("otp", "Six digits.")])
.query_on_get_only()
.body(&[JSON], "OtpAnswer")
.errors(&[Code::InvalidToken]);

pub async fn verify_otp(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.query_or_body(Accepts::Json)?;
    let (token, otp) = (fields.required_secret("token"), fields.required_secret("otp"));
    fields.finish()?;
    context.service().factors().verify_otp(&context.realm, token.expose(), otp.expose()).await?;
    Ok(json(StatusCode::OK, &json!({"message": "OTP verified successfully"})))
}
