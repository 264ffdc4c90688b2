//! Error responses: RFC 9457 problem details. The OAuth endpoints add RFC 6749's `error` and `error_description`.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use portcullis_core::model::code::{Code, Violation};
use serde_json::{Map, Value, json};

/// The format of an endpoint's errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `application/problem+json`.
    #[default]
    Problem,
    /// `application/json` with RFC 6749's members too.
    OAuth,
}

/// An error response. It holds no personal value.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status line.
    pub status: StatusCode,
    /// The stable code.
    pub code: Code,
    /// The explanation for a person; by default the code's title.
    pub detail: Option<String>,
    /// The fields that are not acceptable, with the rule each violates.
    pub errors: Vec<Violation>,
    /// RFC 6749's `error`, for the OAuth format.
    pub oauth_error: &'static str,
    /// Members of this problem alone.
    pub members: Vec<(&'static str, Value)>,
    /// Headers of this problem alone.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The format of the body.
    pub format: ErrorFormat,
}

impl Problem {
    /// A problem with that status and code.
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
            format: ErrorFormat::Problem,
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

    /// There is no such resource.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound)
    }

    /// The server failed.
    #[must_use]
    pub const fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal)
    }

    /// A store that the request needs is unavailable.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable).oauth("temporarily_unavailable").retry_after(5)
    }

    /// The path does not support the method.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::MethodNotAllowed).header(ALLOW, allow)
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Sets RFC 6749's `error`.
    #[must_use]
    pub fn oauth(self, oauth_error: &'static str) -> Self {
        Self { oauth_error, ..self }
    }

    /// Adds a header; a value that can't be a header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Adds a member.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Sets `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    /// Adds a `WWW-Authenticate` challenge.
    #[must_use]
    pub fn challenge(self, scheme: &str) -> Self {
        self.header(WWW_AUTHENTICATE, scheme)
    }

    /// In the format of an endpoint.
    #[must_use]
    pub fn format(self, format: ErrorFormat) -> Self {
        Self { format, ..self }
    }

    /// Writes the body of the error response that `into_response` began. The page of the code is below `path_prefix`.
    pub fn write_body(self, response: &mut Response, request_id: &str, path_prefix: &str) {
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("{path_prefix}/problems/{}", self.code)));
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
        if self.format == ErrorFormat::OAuth {
            body.insert("error".to_owned(), json!(self.oauth_error));
            body.insert("error_description".to_owned(), json!(self.detail.as_deref().unwrap_or(self.code.title())));
        }
        body.extend(self.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let content_type = match self.format {
            ErrorFormat::Problem => "application/problem+json",
            ErrorFormat::OAuth => "application/json",
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        *response.body_mut() = Value::Object(body).to_string().into();
    }
}

/// Status and headers only: the middleware adds the endpoint's format and then, with the request id, the body.
impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(std::mem::take(&mut self.headers));
        response.extensions_mut().insert(self);
        response
    }
}
