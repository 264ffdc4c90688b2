//! What an error looks like on the wire: RFC 9457 problem details; on the OAuth endpoints the same members with
//! RFC 6749's `error` and `error_description` beside them.

use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use portcullis_core::model::code::{Code, Violation};
use serde_json::{Map, Value, json};

/// Which dialect an endpoint's errors speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `application/problem+json`.
    Problem,
    /// `application/json` with RFC 6749's members too.
    OAuth,
}

/// An error on its way out. Carries nothing of anyone's data.
#[derive(Debug)]
pub struct Problem {
    /// The status line.
    pub status: StatusCode,
    /// The stable code.
    pub code: Code,
    /// What happened this time, for a person; the code's title where there is no more to say.
    pub detail: Option<String>,
    /// What is wrong with which field.
    pub errors: Vec<Violation>,
    /// RFC 6749's word for it, where the endpoint speaks that.
    pub oauth_error: &'static str,
    /// Members of this problem alone.
    pub members: Vec<(&'static str, Value)>,
    /// Headers of this problem alone.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of that status and code.
    #[must_use]
    pub const fn new(status: StatusCode, code: Code) -> Self {
        Self {
            status,
            code,
            detail: None,
            errors: Vec::new(),
            oauth_error: "invalid_request",
            members: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The request could not be read.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::MalformedRequest).detail(detail)
    }

    /// Fields are not acceptable.
    #[must_use]
    pub fn invalid(errors: Vec<Violation>) -> Self {
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::ValidationFailed) }
    }

    /// Nothing here.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound)
    }

    /// A needed store is away.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable).oauth("temporarily_unavailable").retry_after(5)
    }

    /// Another method is wanted.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed).header(ALLOW, allow)
    }

    /// Says what happened.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// RFC 6749's word.
    #[must_use]
    pub fn oauth(self, oauth_error: &'static str) -> Self {
        Self { oauth_error, ..self }
    }

    /// A header of its own; a value that cannot be one is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// A member of its own.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// When to come again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// How to authenticate.
    #[must_use]
    pub fn challenge(self, scheme: &str) -> Self {
        self.header(WWW_AUTHENTICATE, scheme)
    }

    /// The answer.
    #[must_use]
    pub fn respond(self, dialect: Dialect, request_id: &str) -> Response {
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("/problems/{}", self.code)));
        body.insert("title".to_owned(), json!(self.code.title()));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail.as_deref().unwrap_or(self.code.title())));
        body.insert("code".to_owned(), json!(self.code.as_str()));
        body.insert("request_id".to_owned(), json!(request_id));
        if !self.errors.is_empty() {
            let errors =
                self.errors.iter().map(|e| json!({"field": e.field, "code": e.code.as_str(), "message": e.message}));
            body.insert("errors".to_owned(), errors.collect());
        }
        if dialect == Dialect::OAuth {
            body.insert("error".to_owned(), json!(self.oauth_error));
            body.insert("error_description".to_owned(), json!(self.detail.as_deref().unwrap_or(self.code.title())));
        }
        body.extend(self.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut response = Response::new(Value::Object(body).to_string().into());
        *response.status_mut() = self.status;
        let content_type = match dialect {
            Dialect::Problem => "application/problem+json",
            Dialect::OAuth => "application/json",
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().extend(self.headers);
        response
    }
}
