//! The sessions of the caller, and logout.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use http::request::Parts;
use portcullis_core::model::code::Code;
use portcullis_core::use_cases::session::sessions::SessionView;
use serde_json::{Value, json};

use crate::http::app::App;
use crate::http::auth::{Authenticated, authenticate};
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{PathParameter, RealmContext, check_query};
use crate::http::openapi::operation::{Operation, ok};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::refresh_cookie::RefreshCookie;
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Session": schemas::object(&["id", "created_at", "last_used_at", "user_agent", "address", "current"], json!({
            "id": schemas::id("ses"), "created_at": schemas::time(), "last_used_at": schemas::time(), "user_agent": schemas::text("The `User-Agent` of the login."),
            "address": schemas::text("Coarse: /24 or /48."), "current": {"type": "boolean"},
        })),
        "Sessions": schemas::object(&["sessions"], json!({"sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}}})),
    })
}

pub static LOGOUT: Operation = Operation::new(
    "Log out",
    "This session's access and refresh tokens are revoked at once. POST needs no access token where the cookie of cookie \
     mode is there.",
    &[ok(200, "Logged out.", "Message")],
);

/// Ends the session of the access token, and that of the cookie: one of the two is enough.
pub async fn logout(context: RealmContext, cookie: RefreshCookie, parts: Parts) -> HandlerResult {
    let sessions = context.service().sessions();
    let caller = authenticate(&context.app, &context.realm, &parts.headers).await;
    if caller.is_ok() || cookie.token().is_some() {
        check_query(&parts)?;
    }
    match (caller, cookie.token()) {
        (Ok(caller), _) => sessions.log_out(&caller).await?,
        (Err(problem), Some(_)) if problem.status == StatusCode::UNAUTHORIZED => {}
        (Err(problem), _) => return Err(problem),
    }
    if let Some(token) = cookie.token() {
        sessions.revoke(&context.realm, token.expose()).await?;
    }
    let mut response = json(StatusCode::OK, &json!({"message": "Logout successfully"}));
    cookie.clear(&mut response);
    Ok(response)
}

pub static LOGOUT_ALL: Operation = Operation::new(
    "Log out everywhere",
    "All of the caller's sessions end at once.",
    &[ok(200, "Logged out.", "Message")],
);

pub async fn logout_all(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    cookie: RefreshCookie,
) -> HandlerResult {
    app.service.sessions().log_out_everywhere(&caller).await?;
    let mut response = json(StatusCode::OK, &json!({"message": "Logout successfully"}));
    cookie.clear(&mut response);
    Ok(response)
}

pub static LIST: Operation = Operation::new("Your sessions", "Oldest first.", &[ok(200, "The sessions.", "Sessions")]);

pub async fn list(State(app): State<Arc<App>>, Authenticated(caller): Authenticated) -> HandlerResult {
    let sessions = app.service.sessions().list_sessions(&caller).await?;
    let sessions: Vec<Value> = sessions.iter().map(session_json).collect();
    Ok(json(StatusCode::OK, &json!({"sessions": sessions})))
}

pub static END: Operation = Operation::new(
    "End one of your sessions",
    "Its tokens are revoked at once. Needs a login of the last 15 minutes.",
    &[ok(200, "Ended.", "Message")],
)
.path(&[("id", "The session's id.")])
.errors(&[Code::ReauthenticationRequired, Code::NotFound]);

pub async fn end(
    State(app): State<Arc<App>>,
    Authenticated(caller): Authenticated,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    app.service.sessions().end_session(&caller, &id).await?;
    Ok(json(StatusCode::OK, &json!({"message": "Session ended"})))
}

/// A session in JSON.
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
