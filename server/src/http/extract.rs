//! Extractors for what handlers share: the realm and client, the query and body, and path parameters.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::{CONNECTION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use portcullis_core::model::client::Client;
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;
use portcullis_core::service::AuthService;
use zeroize::Zeroizing;

use crate::http::app::App;
use crate::http::form_fields::FormFields;
use crate::http::problem::Problem;
use crate::request_body::BodyError;

/// The largest body, in bytes.
const BODY_LIMIT: usize = 65_536;
/// How long a body may take to arrive, whatever its length.
const BODY_GRACE: Duration = Duration::from_secs(10);
/// After that, the bytes a second that it arrives at.
const BODY_RATE: usize = 1024;

/// The facts about a request that the endpoint's guard collects. It is in the request's extensions.
#[derive(Clone)]
pub struct RequestScope {
    /// The realm of the path; system endpoints have none.
    pub realm: Option<Realm>,
    /// The client's address.
    pub address: IpAddr,
    /// Whether the endpoint reads the query.
    pub reads_query: bool,
}

/// Refuses a query where the endpoint reads none. A protected endpoint authenticates first.
///
/// # Errors
/// `validation_failed` with each name, or `malformed_request`.
pub fn refuse_unread_query(uri: &Uri, reads_query: bool) -> Result<(), Problem> {
    match uri.query() {
        Some(query) if !reads_query => FormFields::from_form(query.as_bytes())?.finish(),
        _ => Ok(()),
    }
}

/// The same for a request that has been authenticated.
///
/// # Errors
/// As [`refuse_unread_query`].
pub fn check_query(parts: &Parts) -> Result<(), Problem> {
    refuse_unread_query(&parts.uri, scope_of(parts)?.reads_query)
}

/// The realm of the path.
///
/// # Errors
/// `not_found` outside a realm.
pub fn realm_of(parts: &Parts) -> Result<&Realm, Problem> {
    scope_of(parts)?.realm.as_ref().ok_or_else(Problem::not_found)
}

fn scope_of(parts: &Parts) -> Result<&RequestScope, Problem> {
    parts.extensions.get().ok_or_else(Problem::not_found)
}

/// A request to a realm: the application, the realm and the client.
pub struct RealmContext {
    /// The application.
    pub app: Arc<App>,
    /// The realm.
    pub realm: Realm,
    /// The client's address and user agent.
    pub client: Client,
}

impl RealmContext {
    /// The use cases.
    #[must_use]
    pub fn service(&self) -> &AuthService {
        &self.app.service
    }
}

impl FromRequestParts<Arc<App>> for RealmContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let realm = realm_of(parts)?.clone();
        let user_agent = parts.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let client = Client::new(scope_of(parts)?.address, &user_agent.unwrap_or_default());
        let client = client.with_locale(app.locale(&parts.headers));
        Ok(Self { app: app.clone(), realm, client })
    }
}

/// A path parameter; `not_found` if it is not UTF-8.
pub struct PathParameter(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathParameter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        Ok(Self(value))
    }
}

/// Which bodies an endpoint accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Either.
    JsonOrForm,
}

impl Accepts {
    const fn media_types(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::JsonOrForm => "application/json or application/x-www-form-urlencoded",
        }
    }
}

/// The query, headers and body of a request.
pub struct Input {
    method: Method,
    query: Zeroizing<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let query = Zeroizing::new(parts.uri.query().unwrap_or_default().to_owned());
        Ok(Self { method: parts.method, query, headers: parts.headers, body: read(body).await? })
    }
}

impl Input {
    /// The fields of the query.
    ///
    /// # Errors
    /// `malformed_request`.
    pub fn query(&self) -> Result<FormFields, Problem> {
        FormFields::from_form(self.query.as_bytes())
    }

    /// The fields of the body.
    ///
    /// # Errors
    /// `malformed_request`, or `unsupported_media_type`.
    pub fn body(&self, accepts: Accepts) -> Result<FormFields, Problem> {
        let media_type = self.media_type();
        let is = |wanted| self.has_media_type(wanted);
        match accepts {
            Accepts::Json | Accepts::JsonOrForm if is(Accepts::Json) => FormFields::from_json(&self.body),
            Accepts::Form | Accepts::JsonOrForm if is(Accepts::Form) => FormFields::from_form(&self.body),
            // an empty form is one without fields, an empty text is not JSON
            Accepts::Form if media_type.is_none() && self.body.is_empty() => Ok(FormFields::default()),
            _ if media_type.is_none() && self.body.is_empty() => Err(Problem::malformed("the body is empty")),
            _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::UnsupportedMediaType)
                .detail(format!("the body must be {}", accepts.media_types()))),
        }
    }

    /// The fields of the body; none if there is no body. An empty body that claims to be JSON is malformed.
    ///
    /// # Errors
    /// As `body`.
    pub fn optional_body(&self, accepts: Accepts) -> Result<FormFields, Problem> {
        if self.body.is_empty() && !self.has_media_type(Accepts::Json) {
            return Ok(FormFields::default());
        }
        self.body(accepts)
    }

    /// The fields of the query, and those of the body of a POST.
    ///
    /// # Errors
    /// As `query` and `body`.
    pub fn query_or_body(&self, accepts: Accepts) -> Result<FormFields, Problem> {
        if self.method == Method::GET {
            return self.query();
        }
        self.query()?.merge(self.optional_body(accepts)?)
    }

    fn has_media_type(&self, media_type: Accepts) -> bool {
        self.media_type().is_some_and(|text| text.eq_ignore_ascii_case(media_type.media_types()))
    }

    fn media_type(&self) -> Option<&str> {
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        content_type.map(|text| text.split(';').next().unwrap_or_default().trim())
    }
}

/// Reads a body within `BODY_LIMIT` that arrives at `BODY_RATE` or better.
///
/// # Errors
/// `payload_too_large`, `request_timeout`, `overloaded` or `malformed_request`.
pub async fn read(mut body: Body) -> Result<Zeroizing<Vec<u8>>, Problem> {
    if body.is_end_stream() {
        return Ok(Zeroizing::default());
    }
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge)
            .detail(format!("a body has at most {BODY_LIMIT} bytes"))
    };
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    let begun = tokio::time::Instant::now();
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        let allowed = BODY_GRACE + Duration::from_secs((bytes.len() / BODY_RATE) as u64);
        let frame = match tokio::time::timeout_at(begun + allowed, body.frame()).await {
            Ok(None) => return Ok(bytes),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) if is_no_memory(&error) => {
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Overloaded).retry_after(1);
                return Err(problem.detail("too many large requests arrive at once"));
            }
            Ok(Some(Err(_))) => return Err(Problem::malformed("the body ended too early")),
            Err(_) => {
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Code::RequestTimeout).header(CONNECTION, "close"));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_LIMIT {
            return Err(too_large());
        }
        append(&mut bytes, &data);
    }
}

/// Whether a body stopped because large requests take all memory.
fn is_no_memory(error: &axum::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(BodyError::NoMemory(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A vector that grows by itself would leave copies of secrets behind.
fn append(bytes: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    if bytes.capacity() - bytes.len() < data.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((bytes.len() + data.len()).next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(data);
}
