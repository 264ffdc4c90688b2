//! One request, read: who asks, where, and with what.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use portcullis_core::model::client::Client;
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::authenticate::Caller;
use serde::Serialize;

use crate::http::app::App;
use crate::http::members::Members;
use crate::http::problem::Problem;
use crate::http::site::PathParameters;

/// A request on its way to a handler.
pub struct Context {
    /// What all share.
    pub app: Arc<App>,
    /// The realm of the path; system endpoints have none.
    pub realm: Option<Realm>,
    /// The address and user agent.
    pub client: Client,
    /// Who it is, on endpoints for users.
    pub caller: Option<Caller>,
    /// The method.
    pub method: Method,
    /// The query, undecoded.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, all of it.
    pub body: Bytes,
    /// Parameters of the path.
    pub path: PathParameters,
}

/// Which bodies an endpoint understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Either.
    JsonOrForm,
}

impl Context {
    /// The stories.
    #[must_use]
    pub fn service(&self) -> &AuthService {
        &self.app.service
    }

    /// The realm.
    ///
    /// # Errors
    /// `not_found` where the path has none: such a row would be a mistake of ours.
    pub fn realm(&self) -> Result<&Realm, Problem> {
        self.realm.as_ref().ok_or_else(Problem::not_found)
    }

    /// Who asks, on endpoints for users.
    ///
    /// # Errors
    /// `not_authenticated`.
    pub fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated))
    }

    /// A parameter of the path.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.path.iter().find(|(seen, _)| seen == name).map_or("", |(_, value)| value)
    }

    /// The query's members.
    ///
    /// # Errors
    /// `malformed_request`.
    pub fn query(&self) -> Result<Members, Problem> {
        Members::from_form(self.query.as_bytes())
    }

    /// The body's members.
    ///
    /// # Errors
    /// `malformed_request`, or `unsupported_media_type` for another type of body.
    pub fn body(&self, accepts: Accepts) -> Result<Members, Problem> {
        match (self.media_type(), accepts) {
            (MediaType::Json, Accepts::Json | Accepts::JsonOrForm) => Members::from_json(&self.body),
            (MediaType::Form, Accepts::Form | Accepts::JsonOrForm) => Members::from_form(&self.body),
            (MediaType::None, _) if self.body.is_empty() => match accepts {
                // no body at all: every member is missing, or for JSON there is nothing to read
                Accepts::Form => Ok(Members::default()),
                Accepts::Json | Accepts::JsonOrForm => Err(Problem::malformed("the body is empty")),
            },
            _ => Err(unsupported(accepts)),
        }
    }

    /// The query's members on GET, the body's on POST; a POST without a body may use the query too.
    ///
    /// # Errors
    /// As `query` and `body`.
    pub fn query_or_body(&self, accepts: Accepts) -> Result<Members, Problem> {
        if self.method == Method::GET || self.body.is_empty() {
            self.query()
        } else {
            self.query()?.and(self.body(accepts)?)
        }
    }

    fn media_type(&self) -> MediaType {
        let Some(value) = self.headers.get(CONTENT_TYPE) else { return MediaType::None };
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            MediaType::Json
        } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            MediaType::Form
        } else {
            MediaType::Other
        }
    }
}

enum MediaType {
    None,
    Json,
    Form,
    Other,
}

fn unsupported(accepts: Accepts) -> Problem {
    let wanted = match accepts {
        Accepts::Json => "application/json",
        Accepts::Form => "application/x-www-form-urlencoded",
        Accepts::JsonOrForm => "application/json or application/x-www-form-urlencoded",
    };
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType)
        .detail(format!("the body must be {wanted}"))
}

/// The `User-Agent` of a request, as text.
#[must_use]
pub fn user_agent(headers: &HeaderMap) -> String {
    headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// A JSON answer.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => with_type(status, "application/json", body),
        // of maps whose keys are no texts; there are none here
        Err(_) => with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/json", "{}"),
    }
}

/// An answer of that type.
#[must_use]
pub fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
