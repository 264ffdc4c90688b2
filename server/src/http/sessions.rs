//! Where the caller is logged in, and leaving.

use http::StatusCode;
use portcullis_core::use_cases::sessions::SessionView;
use serde_json::{Value, json};

use crate::http::context::{Context, json};
use crate::http::endpoint::Answer;
use crate::http::pages::rfc3339;

/// `GET` or `POST /logout`.
///
/// # Errors
/// As the contract lists them.
pub async fn logout(context: Context) -> Answer {
    context.service().log_out(context.caller()?).await?;
    Ok(json(StatusCode::OK, &json!({"message": "Logout successfully"})))
}

/// `POST /logout_all`.
///
/// # Errors
/// As the contract lists them.
pub async fn logout_all(context: Context) -> Answer {
    context.service().log_out_everywhere(context.caller()?).await?;
    Ok(json(StatusCode::OK, &json!({"message": "Logout successfully"})))
}

/// `GET /sessions`.
///
/// # Errors
/// As the contract lists them.
pub async fn list(context: Context) -> Answer {
    let sessions = context.service().list_sessions(context.caller()?).await?;
    let sessions: Vec<Value> = sessions.iter().map(session_json).collect();
    Ok(json(StatusCode::OK, &json!({"sessions": sessions})))
}

/// `DELETE /sessions/{id}`.
///
/// # Errors
/// As the contract lists them.
pub async fn end(context: Context) -> Answer {
    context.service().end_session(context.caller()?, context.parameter("id")).await?;
    Ok(json(StatusCode::OK, &json!({"message": "Session ended"})))
}

/// A session on the wire.
#[must_use]
pub fn session_json(session: &SessionView) -> Value {
    json!({
        "id": session.id.to_string(),
        "created_at": rfc3339(session.created_at),
        "last_used_at": rfc3339(session.last_used_at),
        "user_agent": session.user_agent,
        "address": session.address,
        "current": session.current,
    })
}
