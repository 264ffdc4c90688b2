//! Every error of a use case as an error response. Internal causes are logged here and never shown.

use std::error::Error;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::credential::Scope;
use portcullis_core::ports::error::PortError;
use portcullis_core::use_cases::shared::errors::AuthError;

use crate::http::problem::Problem;

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(violations) => Self::invalid(violations),
            AuthError::InvalidToken => Self::new(StatusCode::BAD_REQUEST, Code::InvalidToken).oauth("invalid_grant"),
            AuthError::InvalidCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, Code::InvalidCredentials).oauth("invalid_grant")
            }
            AuthError::EmailNotVerified => {
                Self::new(StatusCode::FORBIDDEN, Code::EmailNotVerified).oauth("invalid_grant")
            }
            AuthError::InvalidGrant => Self::new(StatusCode::BAD_REQUEST, Code::InvalidGrant).oauth("invalid_grant"),
            AuthError::TooMany(wait) => too_many(wait),
            AuthError::NotAuthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated).oauth("invalid_token")
            }
            AuthError::WrongPassword => Self::new(StatusCode::FORBIDDEN, Code::WrongPassword),
            AuthError::ReauthenticationRequired => Self::new(StatusCode::FORBIDDEN, Code::ReauthenticationRequired),
            AuthError::AdminProtected => Self::new(StatusCode::FORBIDDEN, Code::Forbidden).detail(format!(
                "the account has the role admin: its changes need the scope {} too",
                Scope::RolesWrite.as_str()
            )),
            AuthError::PreconditionFailed => Self::new(StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed),
            AuthError::NotFound => Self::not_found(),
            AuthError::PhoneNotVerified => Self::new(StatusCode::CONFLICT, Code::PhoneNotVerified),
            AuthError::TooManyChanges(wait) => Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyChanges)
                .retry_after(seconds_up(wait).max(1))
                .detail(
                    "Use the link of an older notice to undo what you did not do, or wait until the oldest expires",
                ),
            AuthError::MfaInUse => Self::new(StatusCode::CONFLICT, Code::MfaInUse),
            AuthError::TotpOn => Self::new(StatusCode::CONFLICT, Code::TotpOn),
            AuthError::MfaOff => Self::new(StatusCode::CONFLICT, Code::MfaOff),
            AuthError::LastFactor => Self::new(StatusCode::CONFLICT, Code::LastFactor),
            AuthError::PasskeyKnown => Self::new(StatusCode::CONFLICT, Code::PasskeyKnown),
            AuthError::PasskeyLimit => Self::new(StatusCode::CONFLICT, Code::PasskeyLimit),
            AuthError::InvalidPasskey => {
                Self::new(StatusCode::UNAUTHORIZED, Code::InvalidPasskey).oauth("invalid_grant")
            }
            AuthError::EmailTaken => Self::new(StatusCode::CONFLICT, Code::EmailTaken),
            AuthError::Overloaded => Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded)
                .oauth("temporarily_unavailable")
                .retry_after(1),
            AuthError::Port(error) => error.into(),
        }
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        let mut causes = String::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push_str(": ");
            causes.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(port = error.port, "a port failed{causes}");
        Self::unavailable()
    }
}

/// Too many requests. `Retry-After` is in whole seconds, rounded up, at least one.
#[must_use]
pub fn too_many(wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited)
        .oauth("temporarily_unavailable")
        .retry_after(seconds_up(wait).max(1))
}

/// Whole seconds, rounded up.
#[must_use]
pub fn seconds_up(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// Marks a request on a connection that has a place for probes only, and one for whose head there is no memory.
#[derive(Clone, Copy)]
pub struct NoPlace;

impl NoPlace {
    /// The answer to it.
    #[must_use]
    pub fn answer() -> Response {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded).retry_after(1);
        let mut response = problem.detail("every connection is in use").into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}
