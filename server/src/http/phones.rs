//! Proving the phone on record.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::message::Channel;
use serde_json::json;

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;

/// `POST /otp_phone`.
///
/// # Errors
/// As the contract lists them.
pub async fn send_otp(context: Context) -> Answer {
    let mut members = context.query_or_body(Accepts::Json)?;
    let (id, phone) = (members.required_text("id"), members.required_text("phone"));
    let channel = members.text("channel").unwrap_or_else(|| Channel::Sms.as_str().to_owned());
    let channel = Channel::parse(&channel).unwrap_or_else(|| {
        members.refuse(Violation::with_message("channel", Code::ValueInvalid, "must be sms or voice"));
        Channel::Sms
    });
    members.finish()?;
    let service = context.service();
    let token = service.send_otp(context.realm()?, &id, &phone, channel).await?;
    let expires_in = service.policy.lifetimes.otp.as_secs();
    let body = json!({"message": "OTP generated successfully", "token": token.expose(), "expires_in": expires_in});
    Ok(json(StatusCode::ACCEPTED, &body))
}

/// `GET` or `POST /verify_otp_phone`.
///
/// # Errors
/// As the contract lists them.
pub async fn verify_otp(context: Context) -> Answer {
    let mut members = context.query_or_body(Accepts::Json)?;
    let (token, otp) = (members.required_text("token"), members.required_text("otp"));
    members.finish()?;
    context.service().verify_otp(context.realm()?, &token, &otp).await?;
    Ok(json(StatusCode::OK, &json!({"message": "OTP verified successfully"})))
}
