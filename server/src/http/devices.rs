//! Remembered devices.

use axum::response::IntoResponse as _;
use http::StatusCode;
use portcullis_core::model::code::Code;
use portcullis_core::model::device::Device;
use portcullis_core::model::ids::DeviceId;
use serde_json::{Value, json};

use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{PathParameter, RealmContext};
use crate::http::openapi::operation::{Operation, empty, ok};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    let required = ["id", "user_agent", "address", "created_at", "last_used_at", "expires_at"];
    json!({
        "Device": schemas::object(&required, json!({
            "id": schemas::id("dev"), "user_agent": schemas::text("The `User-Agent` of the login that it was remembered at."),
            "address": schemas::text("Coarse: /24 or /48."), "created_at": schemas::time(),
            "last_used_at": {"type": ["string", "null"], "format": "date-time"}, "expires_at": schemas::time(),
        })),
        "Devices": schemas::object(&["devices"], json!({"devices": {"type": "array", "items": {"$ref": "#/components/schemas/Device"}}})),
    })
}

/// The field `device_token`.
pub fn token_schema() -> Value {
    schemas::token("That of a remembered device: no second factor is asked for.")
}

pub static LIST: Operation = Operation::new(
    "Your remembered devices",
    "Those from which the password logs in without a second factor, the oldest first.",
    &[ok(200, "The devices.", "Devices")],
);

pub async fn list(context: RealmContext, Authenticated(caller): Authenticated) -> HandlerResult {
    let devices = context.service().factors().list_devices(&caller)?;
    let devices: Vec<Value> = devices.iter().map(device_json).collect();
    Ok(json(StatusCode::OK, &json!({"devices": devices})))
}

pub static FORGET: Operation = Operation::new(
    "Forget a device",
    "The next login from it asks for a second factor. Its sessions stay.",
    &[empty(204, "It is forgotten.")],
)
.path(&[("id", "The device.")])
.errors(&[Code::NotFound]);

pub async fn forget(
    context: RealmContext,
    Authenticated(caller): Authenticated,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let id = DeviceId::parse(&id).ok_or_else(Problem::not_found)?;
    context.service().factors().forget_device(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A device in JSON.
#[must_use]
pub fn device_json(device: &Device) -> Value {
    json!({
        "id": device.id.to_string(),
        "user_agent": device.user_agent,
        "address": device.address,
        "created_at": rfc3339(device.created_at),
        "last_used_at": device.last_used_at.map(rfc3339),
        "expires_at": rfc3339(device.expires_at),
    })
}
