//! The body of a message to a webhook, and its signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp as Time;
use portcullis_core::model::sealed::DataKey;
use portcullis_core::ports::webhook_sender::WebhookMessage;
use serde_json::json;
use sha2::Sha256;

/// The kind of the event, its time, and the ids in it.
pub fn body(message: &WebhookMessage) -> String {
    let event = &message.event;
    let at = Time::from_millisecond(event.at.as_millis()).unwrap_or_default();
    json!({
        "type": event.kind.as_str(),
        "timestamp": format!("{at:.3}"),
        "data": {
            "realm": message.realm.as_str(),
            "user": event.user.map(|user| user.to_string()),
            "session": event.session.map(|session| session.to_string()),
        },
    })
    .to_string()
}

/// The value of `webhook-signature`: one signature for each secret, with a space between two.
pub fn signatures(secrets: &[DataKey], id: &str, seconds: i64, body: &str) -> String {
    let signed = format!("{id}.{seconds}.{body}");
    let sign = |secret: &DataKey| {
        // HMAC takes a key of any length
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        mac.update(signed.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}
