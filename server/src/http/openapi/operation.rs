//! The description of an operation. Each endpoint group keeps those of its handlers in the same folder.

use http::StatusCode;
use portcullis_core::model::code::Code;

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// A request body.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    pub media: &'static [&'static str],
    pub schema: &'static str,
    pub required: bool,
    /// A request that a viewer may send as it is, in JSON; without it viewers put the examples of the fields together.
    pub example: Option<&'static str>,
}

/// A response that is not an error.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub status: u16,
    pub about: &'static str,
    /// The media type; `None` for no body.
    pub media: Option<&'static str>,
    /// The name of the schema; `None` for a string.
    pub schema: Option<&'static str>,
    /// Whether `Accept: text/html` gets a page instead.
    pub page_too: bool,
    pub etag: bool,
}

/// A parameter of the query.
#[derive(Debug, Clone, Copy)]
pub struct QueryParameter {
    pub name: &'static str,
    pub required: bool,
    pub about: &'static str,
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    pub summary: &'static str,
    pub description: &'static str,
    /// Parameters of the path: name and meaning.
    pub path: &'static [(&'static str, &'static str)],
    pub query: &'static [QueryParameter],
    /// Whether the query is for GET only, because POST has a body with the same fields.
    pub query_on_get_only: bool,
    /// Headers: name and meaning.
    pub headers: &'static [(&'static str, &'static str)],
    pub body: Option<Body>,
    pub outcomes: &'static [Outcome],
    /// The error codes beyond those that access, limit and body imply.
    pub errors: &'static [Code],
    /// Whether a browser gets a page for 400 and 422.
    pub failure_pages: bool,
    /// Whether 400 replaces 401 and 403 (RFC 6749, section 5.2).
    pub strict_oauth: bool,
}

impl Operation {
    /// An operation without parameters, body and errors of its own.
    pub const fn new(summary: &'static str, description: &'static str, outcomes: &'static [Outcome]) -> Self {
        Self {
            summary,
            description,
            path: &[],
            query: &[],
            query_on_get_only: false,
            headers: &[],
            body: None,
            outcomes,
            errors: &[],
            failure_pages: false,
            strict_oauth: false,
        }
    }

    pub const fn errors(self, errors: &'static [Code]) -> Self {
        Self { errors, ..self }
    }

    pub const fn body(self, media: &'static [&'static str], schema: &'static str) -> Self {
        Self { body: Some(Body { media, schema, required: true, example: None }), ..self }
    }

    pub const fn optional_body(self, media: &'static [&'static str], schema: &'static str) -> Self {
        Self { body: Some(Body { media, schema, required: false, example: None }), ..self }
    }

    /// A request that a viewer may send as it is, in JSON.
    pub const fn example(self, example: &'static str) -> Self {
        match self.body {
            Some(body) => Self { body: Some(Body { example: Some(example), ..body }), ..self },
            None => self,
        }
    }

    pub const fn query(self, query: &'static [QueryParameter]) -> Self {
        Self { query, ..self }
    }

    pub const fn query_on_get_only(self) -> Self {
        Self { query_on_get_only: true, ..self }
    }

    pub const fn path(self, path: &'static [(&'static str, &'static str)]) -> Self {
        Self { path, ..self }
    }

    pub const fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    pub const fn failure_pages(self) -> Self {
        Self { failure_pages: true, ..self }
    }

    pub const fn strict_oauth(self) -> Self {
        Self { strict_oauth: true, ..self }
    }

    /// The status of an error code at this operation.
    pub const fn status_of(&self, code: Code) -> u16 {
        match code {
            Code::InvalidCredentials | Code::EmailNotVerified if self.strict_oauth => 400,
            _ => usual_status(code).as_u16(),
        }
    }
}

/// A JSON response.
pub const fn ok(status: u16, about: &'static str, schema: &'static str) -> Outcome {
    Outcome { status, about, media: Some(JSON), schema: Some(schema), page_too: false, etag: false }
}

/// A JSON response, or a page for browsers.
pub const fn page_or(status: u16, about: &'static str, schema: &'static str) -> Outcome {
    Outcome { page_too: true, ..ok(status, about, schema) }
}

/// A response of another media type.
pub const fn text(status: u16, about: &'static str, media: &'static str) -> Outcome {
    Outcome { status, about, media: Some(media), schema: None, page_too: false, etag: false }
}

/// A response without a body.
pub const fn empty(status: u16, about: &'static str) -> Outcome {
    Outcome { status, about, media: None, schema: None, page_too: false, etag: false }
}

/// A required parameter of the query.
pub const fn required(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, required: true, about }
}

/// An optional parameter of the query.
pub const fn optional(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, required: false, about }
}

/// The status a code usually comes with; `/token` answers some of them with 400.
#[must_use]
pub const fn usual_status(code: Code) -> StatusCode {
    match code {
        Code::MalformedRequest | Code::InvalidToken | Code::InvalidGrant | Code::UnsupportedGrantType => {
            StatusCode::BAD_REQUEST
        }
        Code::NotAuthenticated | Code::InvalidCredentials | Code::InvalidClient | Code::InvalidPasskey => {
            StatusCode::UNAUTHORIZED
        }
        Code::EmailNotVerified
        | Code::MfaRequired
        | Code::MfaEnrolmentRequired
        | Code::WrongPassword
        | Code::ReauthenticationRequired
        | Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::PhoneNotVerified
        | Code::MfaInUse
        | Code::TotpOn
        | Code::MfaOff
        | Code::LastFactor
        | Code::PasskeyKnown
        | Code::PasskeyLimit
        | Code::EmailTaken => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Code::UriTooLong => StatusCode::URI_TOO_LONG,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::RateLimited | Code::TooManyChanges => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable | Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        // a violation of a field's rule
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
