//! Logging in: the password form of old, OAuth 2.0's token endpoint, and the second factor.

use axum::response::Response;
use http::StatusCode;
use portcullis_core::model::code::Code;
use portcullis_core::use_cases::log_in::LoggedIn;
use portcullis_core::use_cases::tokens::TokenPair;
use serde_json::json;

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;
use crate::http::members::Members;
use crate::http::problem::Problem;

/// `POST /login`.
///
/// # Errors
/// As the contract lists them.
pub async fn login(context: Context) -> Answer {
    let mut members = context.body(Accepts::Form)?;
    let (username, password) = (members.required_text("username"), members.required_text("password"));
    if members.text("grant_type").is_some_and(|grant| grant != "password" && !grant.is_empty()) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, Code::UnsupportedGrantType).oauth("unsupported_grant_type"));
    }
    members.finish_ignoring_unknown()?;
    let challenge = format!("Bearer realm=\"{}\"", context.realm()?);
    password_grant(&context, &username, &password).await.map_err(|problem| match problem.status {
        StatusCode::UNAUTHORIZED => problem.challenge(&challenge),
        _ => problem,
    })
}

/// `POST /token` (RFC 6749): `password` and `refresh_token`.
///
/// # Errors
/// As the contract lists them; what RFC 6749 calls a 400 is one.
pub async fn token(context: Context) -> Answer {
    let mut members = context.body(Accepts::Form)?;
    let outcome = match members.text("grant_type").as_deref() {
        Some("password") => {
            let (username, password) = (required(&mut members, "username")?, required(&mut members, "password")?);
            password_grant(&context, &username, &password).await
        }
        Some("refresh_token") => {
            let refresh_token = required(&mut members, "refresh_token")?;
            let pair = context.service().refresh(context.realm()?, &refresh_token).await?;
            Ok(token_answer(&pair))
        }
        Some(_) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, Code::UnsupportedGrantType).oauth("unsupported_grant_type"))
        }
        None => Err(Problem::malformed("grant_type is missing")),
    };
    outcome.map_err(|problem| match problem.code {
        Code::InvalidCredentials | Code::EmailNotVerified => Problem { status: StatusCode::BAD_REQUEST, ..problem },
        _ => problem,
    })
}

/// `POST /login/mfa`.
///
/// # Errors
/// As the contract lists them.
pub async fn login_mfa(context: Context) -> Answer {
    let mut members = context.body(Accepts::JsonOrForm)?;
    let (mfa_token, otp) = (members.required_text("mfa_token"), members.required_text("otp"));
    members.finish()?;
    let pair = context.service().log_in_second_factor(context.realm()?, &mfa_token, &otp, &context.client).await?;
    Ok(token_answer(&pair))
}

async fn password_grant(context: &Context, username: &str, password: &str) -> Answer {
    match context.service().log_in(context.realm()?, username, password, &context.client).await? {
        LoggedIn::Session(pair) => Ok(token_answer(&pair)),
        LoggedIn::MfaRequired(token) => Err(Problem::new(StatusCode::FORBIDDEN, Code::MfaRequired)
            .oauth("mfa_required")
            .member("mfa_token", token.expose())
            .member("methods", vec!["sms"])
            .member("expires_in", context.service().policy.lifetimes.otp.as_secs())),
    }
}

fn required(members: &mut Members, name: &'static str) -> Result<String, Problem> {
    members.text(name).ok_or_else(|| Problem::malformed(format!("{name} is missing")))
}

/// The answer to a login, a refresh or a changed password.
pub fn token_answer(pair: &TokenPair) -> Response {
    let body = json!({
        "access_token": pair.access.expose(),
        "token_type": "bearer",
        "expires_in": pair.expires_in,
        "refresh_token": pair.refresh.expose(),
    });
    json(StatusCode::OK, &body)
}
