//! The way of every request: limit, credentials, body, handler, headers. The limit sits on the operation and comes
//! before any work; no personal word reaches a log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use portcullis_core::model::client::{Client, ClientAddress};
use portcullis_core::model::code::Code;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::quota::{Bucket, Decision, Quota};
use portcullis_core::model::realm::Realm;
use subtle::ConstantTimeEq;

use crate::http::address::client_address;
use crate::http::app::App;
use crate::http::context::{Context, user_agent};
use crate::http::endpoint::{Access, Answer, Endpoint};
use crate::http::error::{seconds_up, too_many};
use crate::http::hang_up::to_its_end;
use crate::http::problem::{Dialect, Problem};
use crate::http::request_id::RequestId;
use crate::http::site::PathParameters;

/// The largest body, in octets.
pub const BODY_LIMIT: usize = 65_536;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What counts answers, and what keeps how long they took.
type Meters = (metrics::Counter, metrics::Histogram);

/// All rows of one path.
pub struct Route {
    /// What all share.
    pub app: Arc<App>,
    /// The realm of the path.
    pub realm: Option<Realm>,
    /// The rows.
    pub endpoints: Vec<Endpoint>,
    meters: RwLock<HashMap<(&'static str, u16), Meters>>,
}

/// Answers one request for a path.
pub async fn dispatch(
    route: &Route,
    path: PathParameters,
    peer: IpAddr,
    id: &RequestId,
    parts: Parts,
    body: Body,
) -> Response {
    let Some(endpoint) = route.endpoint(&parts.method) else {
        return route.no_such_method(&parts.method, &id.0);
    };
    let began = Instant::now();
    let method = parts.method.clone();
    let seen_from = client_address(peer, &parts.headers, &route.app.trusted_proxies);
    let client = Client::new(seen_from, &user_agent(&parts.headers));
    let address = client.address;
    let bears_token = credentials(&parts.headers, "bearer").is_some();
    let (response, decision) = match route.limited(endpoint, &address, &parts.headers).await {
        Err(problem) => (Err(problem), None),
        Ok(Some(limit)) if !limit.decision.allowed => (Err(too_many(limit.decision.retry_after)), Some(limit)),
        Ok(limit) => {
            let answer = route.answer(endpoint, path, client, parts, body).await;
            if let (Err(_), Some(limit)) = (&answer, &limit) {
                limit.put_back_if_rare(&route.app).await;
            }
            (answer, limit)
        }
    };
    if let Err(problem) = &response {
        route.note_violation(endpoint, &address, bears_token, problem.status).await;
    }
    let mut response =
        response.unwrap_or_else(|problem| route.with_challenge(endpoint, problem).respond(endpoint.dialect, &id.0));
    if let Some(limit) = decision {
        limit.write(response.headers_mut());
    }
    route.count(endpoint, &method, response.status(), began);
    response
}

/// Rows of one a day: nobody but a user may spend one, and no mistake does.
fn is_rare(row: &str) -> bool {
    row == "export" || row == "delete"
}

/// What a limit said of a request.
struct Limit {
    row: &'static str,
    bucket: Bucket,
    quota: Quota,
    decision: Decision,
}

impl Limit {
    /// `RateLimit` and `RateLimit-Policy`, in the form of the IETF draft.
    fn write(&self, headers: &mut HeaderMap) {
        let (row, decision) = (self.row, &self.decision);
        let policy = format!("\"{row}\";q={};w={}", self.quota.burst, seconds_up(self.quota.period));
        let state = format!("\"{row}\";r={};t={}", decision.remaining, seconds_up(decision.reset_after));
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }

    /// One a day must not be spent by a mistake: what failed is put back.
    async fn put_back_if_rare(&self, app: &App) {
        if is_rare(self.row)
            && let Err(error) = app.service.give_back(&self.bucket, &self.quota).await
        {
            tracing::warn!("a limit could not be put back: {error}");
        }
    }
}

impl Route {
    /// The path's rows so far.
    #[must_use]
    pub fn new(app: Arc<App>, realm: Option<Realm>, endpoints: Vec<Endpoint>) -> Self {
        Self { app, realm, endpoints, meters: RwLock::default() }
    }

    fn endpoint(&self, method: &Method) -> Option<&Endpoint> {
        let find = |method: &Method| self.endpoints.iter().find(|endpoint| endpoint.methods.contains(method));
        // HEAD is GET without its body, where GET is safe: system endpoints and pages
        find(method).or_else(|| if *method == Method::HEAD && self.realm.is_none() { find(&Method::GET) } else { None })
    }

    fn no_such_method(&self, method: &Method, request_id: &str) -> Response {
        let mut allow: Vec<&str> = self.endpoints.iter().flat_map(|e| e.methods.iter().map(Method::as_str)).collect();
        allow.push("OPTIONS");
        let allow = allow.join(", ");
        if *method == Method::OPTIONS {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            if let Ok(value) = HeaderValue::from_str(&allow) {
                response.headers_mut().insert(ALLOW, value);
            }
            return response;
        }
        let dialect = self.endpoints.first().map_or(Dialect::Problem, |endpoint| endpoint.dialect);
        Problem::method_not_allowed(&allow).respond(dialect, request_id)
    }

    /// Refusals that the person on call wants to hear of: too much of something, and tokens that are not good.
    async fn note_violation(
        &self,
        endpoint: &Endpoint,
        address: &ClientAddress,
        bears_token: bool,
        status: StatusCode,
    ) {
        let Some(realm) = &self.realm else { return };
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => EventKind::RateLimitExceeded,
            StatusCode::UNAUTHORIZED if endpoint.access == Access::User && bears_token => EventKind::TokenRefused,
            _ => return,
        };
        let who = self.app.service.address_digest(realm, address);
        self.app.service.note_violation(realm, kind, who).await;
    }

    async fn limited(
        &self,
        endpoint: &Endpoint,
        address: &ClientAddress,
        headers: &HeaderMap,
    ) -> Result<Option<Limit>, Problem> {
        let (Some(row), Some(realm)) = (endpoint.limit, &self.realm) else { return Ok(None) };
        if is_rare(row) {
            self.authenticate(headers).await?;
        }
        let who = self.app.service.address_digest(realm, address);
        let bucket = Bucket { realm: realm.clone(), operation: row, who };
        let quota = (self.app.quotas)(row);
        let decision = self.app.service.take(&bucket, &quota).await?;
        Ok(decision.map(|decision| Limit { row, bucket, quota, decision }))
    }

    async fn answer(
        &self,
        endpoint: &Endpoint,
        path: PathParameters,
        client: Client,
        parts: Parts,
        body: Body,
    ) -> Answer {
        let mut context = Context {
            app: self.app.clone(),
            realm: self.realm.clone(),
            client,
            caller: None,
            method: parts.method,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body: Bytes::new(),
            path,
        };
        match endpoint.access {
            Access::Public => {}
            Access::User => context.caller = Some(self.authenticate(&context.headers).await?),
            Access::Operator => self.authenticate_operator(&context.headers)?,
            Access::ServiceClient => self.authenticate_service(&context.headers)?,
        }
        context.body = read(&context.headers, body).await?;
        let run = (endpoint.run)(context);
        if endpoint.reads {
            // nothing is left half done where the client hangs up, and no task is worth it
            return run.await;
        }
        to_its_end(run).await.unwrap_or_else(|error| {
            tracing::error!(operation = endpoint.id, "a request panicked: {error}");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal))
        })
    }

    async fn authenticate(
        &self,
        headers: &HeaderMap,
    ) -> Result<portcullis_core::use_cases::authenticate::Caller, Problem> {
        let realm = self.realm.as_ref().ok_or_else(Problem::not_found)?;
        let challenge = || format!("Bearer realm=\"{realm}\"");
        let Some(token) = credentials(headers, "bearer") else {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated).challenge(&challenge()));
        };
        let caller = self.app.service.authenticate(realm, token).await;
        caller.map_err(|error| match Problem::from(error) {
            problem if problem.status == StatusCode::UNAUTHORIZED => {
                problem.challenge(&format!("{}, error=\"invalid_token\"", challenge()))
            }
            problem => problem,
        })
    }

    /// A 401 says how to authenticate, wherever in the story it came from.
    fn with_challenge(&self, endpoint: &Endpoint, problem: Problem) -> Problem {
        let told = problem.headers.iter().any(|(name, _)| *name == WWW_AUTHENTICATE);
        match &self.realm {
            Some(realm) if problem.status == StatusCode::UNAUTHORIZED && endpoint.access == Access::User && !told => {
                problem.challenge(&format!("Bearer realm=\"{realm}\", error=\"invalid_token\""))
            }
            _ => problem,
        }
    }

    /// What counts answers of that status, and what keeps how long they took: looked up by name once.
    fn meters(&self, endpoint: &Endpoint, status: StatusCode) -> Meters {
        let which = (endpoint.id, status.as_u16());
        if let Some(meters) = self.meters.read().unwrap_or_else(PoisonError::into_inner).get(&which) {
            return meters.clone();
        }
        let realm = self.realm.as_ref().map_or_else(String::new, ToString::to_string);
        let meters = self.app.measured(|| {
            let labels =
                [("operation", endpoint.id.to_owned()), ("realm", realm), ("status", status.as_u16().to_string())];
            let requests = metrics::counter!("portcullis_http_requests_total", &labels);
            (requests, metrics::histogram!("portcullis_http_request_seconds", "operation" => endpoint.id))
        });
        self.meters.write().unwrap_or_else(PoisonError::into_inner).insert(which, meters.clone());
        meters
    }

    fn is_operator(&self, headers: &HeaderMap) -> bool {
        let Some(token) = credentials(headers, "bearer") else { return false };
        // every token is compared, so that time tells nothing of which one
        let matches = self.app.operator_tokens.iter().map(|known| known.expose().as_bytes().ct_eq(token.as_bytes()));
        matches.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }

    fn authenticate_operator(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.is_operator(headers) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated).challenge("Bearer realm=\"operator\""))
    }

    fn authenticate_service(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let presented = credentials(headers, "basic").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        let matches = self.app.service_clients.iter().map(|(id, secret)| {
            let known = format!("{id}:{}", secret.expose());
            known.as_bytes().ct_eq(&presented)
        });
        let matched: bool = matches.fold(subtle::Choice::from(0), |any, one| any | one).into();
        if matched || self.is_operator(headers) {
            return Ok(());
        }
        let realm = self.realm.as_ref().map_or("", Realm::as_str);
        Err(Problem::new(StatusCode::UNAUTHORIZED, Code::InvalidClient)
            .oauth("invalid_client")
            .challenge(&format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")))
    }

    fn count(&self, endpoint: &Endpoint, method: &Method, status: StatusCode, began: Instant) {
        let (requests, seconds) = self.meters(endpoint, status);
        requests.increment(1);
        seconds.record(began.elapsed().as_secs_f64());
        // the operation, never the path's query: links carry tokens there
        tracing::info!(
            operation = endpoint.id,
            %method,
            status = status.as_u16(),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

/// What follows the scheme in `Authorization`, of a single such header.
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The whole body, within size and time.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let too_large = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::PayloadTooLarge)
            .detail(format!("a body has at most {BODY_LIMIT} octets"))
    };
    let announced =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::malformed("the body broke off")),
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, Code::RequestTimeout)
                .header(http::header::CONNECTION, "close"))
        }
    }
}
