//! The middleware of one endpoint: rate limit, audit of refusals, metrics. The limit comes before credentials and body.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use metrics::{Counter, Histogram};
use portcullis_adapters::crypto::hash_queue::Requester;
use portcullis_core::model::client::ClientAddress;
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;
use tracing::Instrument as _;

use crate::http::address::client_address;
use crate::http::admin_caller::{AdminCaller, Refused, identify_operator};
use crate::http::app::App;
use crate::http::auth::{ClientId, authenticate, credentials, identify_client};
use crate::http::client_disconnect::run_to_completion;
use crate::http::endpoint::{Access, ChangesByGet, Endpoint};
use crate::http::error::too_many;
use crate::http::extract::{RequestScope, refuse_unread_query};
use crate::http::metric_names::HTTP_DURATION;
use crate::http::negotiation::only_json;
use crate::http::problem::Problem;
use crate::http::rate_limit::{RateLimit, is_daily_quota};
use crate::http::refusal_audit::Refusal;
use crate::http::request_log::Answered;
use crate::traces::use_case_span;

/// An endpoint as the middleware sees it.
pub struct Guard {
    app: Arc<App>,
    realm: Option<Realm>,
    endpoint: Endpoint,
    /// By status. Looking a metric up by its labels takes longer than counting.
    metrics: RwLock<HashMap<StatusCode, (Counter, Histogram)>>,
}

/// A request, and the service client or operator that it authenticates.
struct Identified {
    request: Request,
    client: Option<ClientId>,
    /// The caller of the admin API, also a refused one.
    admin: Option<AdminCaller>,
    /// Whether there are credentials in the request.
    tried: bool,
    /// Why the admin API refuses it, once it has taken one from the limit of guesses.
    refused: Option<Problem>,
}

/// Passes a request to the handler if the rate limit allows it.
pub async fn guard(
    State(guard): State<Arc<Guard>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let mut response = guard.respond(peer, request, next).await;
    guard.record(&response, started.elapsed());
    let answered = Answered { operation: guard.endpoint.id, realm: guard.realm.clone() };
    response.extensions_mut().insert(answered);
    response
}

impl Guard {
    async fn respond(&self, peer: SocketAddr, request: Request, next: Next) -> Response {
        let clock = &self.app.service.ports.clock;
        self.app.unlisted_proxies.observe(peer.ip(), request.headers(), &self.app.trusted_proxies, || clock.now());
        let ip = client_address(peer.ip(), request.headers(), &self.app.trusted_proxies);
        let address = ClientAddress::new(ip);
        if self.is_foreign_change(&request) {
            let problem = Problem::new(StatusCode::FORBIDDEN, Code::Forbidden);
            return problem
                .detail("another site may not do this by GET")
                .format(self.endpoint.error_format)
                .into_response();
        }
        let Identified { mut request, client, admin, tried, refused } = match self.identify(request).await {
            Ok(identified) => identified,
            Err(problem) => return problem.format(self.endpoint.error_format).into_response(),
        };
        let (mut response, limit) = match self.take_limit(&address, request.headers(), client.as_ref()).await {
            Err(problem) => (problem.into_response(), None),
            Ok(Some(limit)) if !limit.decision.allowed => {
                (too_many(limit.decision.retry_after).into_response(), Some(limit))
            }
            Ok(limit) => {
                let reads_query = self.endpoint.reads_query;
                request.extensions_mut().insert(RequestScope { realm: self.realm.clone(), address: ip, reads_query });
                let is_public = self.endpoint.access == Access::Public;
                let check = || refuse_unread_query(request.uri(), reads_query || !is_public);
                match refused.map_or_else(check, Err) {
                    Ok(()) => (self.run(&address, request, next).await, limit),
                    Err(problem) => (problem.into_response(), limit),
                }
            }
        };
        let allowed = limit.as_ref().is_some_and(|limit| limit.decision.allowed);
        if let Some(problem) = response.extensions_mut().get_mut::<Problem>() {
            problem.format = self.endpoint.error_format;
            if allowed && let Some(limit) = &limit {
                limit.refund_on_error(&self.app).await;
            }
            let answer = (problem.status, problem.code);
            let refusal = Refusal { endpoint: &self.endpoint, answer, address: &address, tried, admin: admin.as_ref() };
            refusal.audit(&self.app, self.realm.as_ref()).await;
            self.add_challenge(&mut response);
        }
        if let Some(limit) = &limit {
            limit.write_headers(response.headers_mut());
        }
        response
    }

    /// The guard of an endpoint.
    #[must_use]
    pub fn new(app: Arc<App>, realm: Option<Realm>, endpoint: Endpoint) -> Self {
        Self { app, realm, endpoint, metrics: RwLock::default() }
    }

    /// Finds the service client or the operator token of the request, where the endpoint is for one of them.
    async fn identify(&self, mut request: Request) -> Result<Identified, Problem> {
        let (mut client, mut admin, mut refused) = (None, None, None);
        let mut tried = credentials(request.headers(), "bearer").is_some();
        match (self.endpoint.access, &self.realm) {
            (Access::ServiceClient, Some(realm)) => {
                (request, client, tried) = identify_client(&self.app, realm, request).await?;
            }
            (Access::Admin(scope), Some(realm)) => {
                let found;
                (request, found) = identify_operator(&self.app, realm, request, scope).await?;
                match found {
                    Ok(operator) => {
                        client = Some(ClientId(operator.name.clone()));
                        admin = Some(operator.clone());
                        request.extensions_mut().insert(operator);
                    }
                    Err(Refused { problem, caller }) => (admin, refused) = (caller, Some(problem)),
                }
            }
            _ => {}
        }
        Ok(Identified { request, client, admin, tried, refused })
    }

    /// Whether a page of another site caused a GET that changes something: a link or an image must not log anybody out.
    fn is_foreign_change(&self, request: &Request) -> bool {
        let headers = request.headers();
        let changes = match self.endpoint.changes_by_get {
            ChangesByGet::Never => false,
            ChangesByGet::Always => true,
            ChangesByGet::ForJsonAlone => only_json(headers),
        };
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let foreign = site.is_some_and(|site| site == b"cross-site" || site == b"same-site");
        let allowed = || headers.get(ORIGIN).is_some_and(|origin| self.app.cors_origins.contains(origin));
        request.method() == Method::GET && changes && foreign && !allowed()
    }

    /// Takes one request from the endpoint's rate limit; `None` if it has none.
    async fn take_limit(
        &self,
        address: &ClientAddress,
        headers: &HeaderMap,
        client: Option<&ClientId>,
    ) -> Result<Option<RateLimit>, Problem> {
        let (Some(name), Some(realm)) = (self.endpoint.limit, &self.realm) else { return Ok(None) };
        let service = &self.app.service;
        let (name, who) = match self.endpoint.access {
            // two people at one address have a day's request each
            Access::User if is_daily_quota(name) => {
                (name, service.account_digest(&authenticate(&self.app, realm, headers).await?.user))
            }
            Access::ServiceClient | Access::Admin(_) => match client {
                Some(ClientId(id)) => (name, service.service_client_digest(realm, id)),
                // a guess at credentials: slow, and by address
                None => ("default", service.address_digest(realm, address)),
            },
            _ => (name, service.address_digest(realm, address)),
        };
        RateLimit::take(&self.app, realm, name, who).await
    }

    async fn run(&self, address: &ClientAddress, request: Request, next: Next) -> Response {
        let handler = next.run(request).instrument(use_case_span(self.endpoint.id));
        if self.endpoint.cancel_on_disconnect {
            return handler.await;
        }
        let known = self.app.known_addresses.contains(address);
        let requester = Requester { networks: address.networks(), known };
        let response = run_to_completion(requester, handler).await.unwrap_or_else(|error| {
            tracing::error!(operation = self.endpoint.id, "a request panicked: {error}");
            Problem::internal().into_response()
        });
        if self.endpoint.opens_session && response.status() == StatusCode::OK {
            self.app.known_addresses.insert(address);
        }
        response
    }

    /// A 401 names the way to authenticate (RFC 9110, section 11.6.1), also if a use case caused it. A refusal for lack
    /// of recent authentication names the age that a login may have (RFC 9470, section 3).
    fn add_challenge(&self, response: &mut Response) {
        let Some(realm) = &self.realm else { return };
        if self.endpoint.access != Access::User || response.headers().contains_key(WWW_AUTHENTICATE) {
            return;
        }
        let code = response.extensions().get::<Problem>().map(|problem| problem.code);
        let challenge = if response.status() == StatusCode::UNAUTHORIZED {
            format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")
        } else if code == Some(Code::ReauthenticationRequired) {
            let max_age = self.app.service.policy.fresh_login.as_secs();
            format!("Bearer error=\"insufficient_user_authentication\", max_age={max_age}")
        } else {
            return;
        };
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
    }

    /// Counts a response.
    fn record(&self, response: &Response, elapsed: Duration) {
        let (requests, seconds) = self.metrics(response.status());
        requests.increment(1);
        seconds.record(elapsed.as_secs_f64());
        let problem = response.extensions().get::<Problem>();
        if let Some(name) = outcome_metric(self.endpoint.id) {
            let outcome = match problem {
                Some(problem) => problem.code.as_str(),
                None if response.status().is_client_error() => "refused",
                None => "success",
            };
            let labels = [
                ("realm", self.realm_label()),
                ("operation", self.endpoint.id.to_owned()),
                ("outcome", outcome.to_owned()),
            ];
            self.app.measured(|| metrics::counter!(name, &labels).increment(1));
        }
    }

    fn realm_label(&self) -> String {
        self.realm.as_ref().map_or_else(String::new, ToString::to_string)
    }

    fn metrics(&self, status: StatusCode) -> (Counter, Histogram) {
        if let Some(metrics) = self.metrics.read().unwrap_or_else(PoisonError::into_inner).get(&status) {
            return metrics.clone();
        }
        let (operation, status_text) = (self.endpoint.id.to_owned(), status.as_u16().to_string());
        let labels = [("operation", operation), ("realm", self.realm_label()), ("status", status_text)];
        let metrics = self.app.measured(|| {
            let requests = metrics::counter!("portcullis_http_requests_total", &labels);
            (requests, metrics::histogram!(HTTP_DURATION, &labels))
        });
        self.metrics.write().unwrap_or_else(PoisonError::into_inner).insert(status, metrics.clone());
        metrics
    }
}

/// The counter by outcome of an endpoint.
fn outcome_metric(endpoint: &str) -> Option<&'static str> {
    Some(match endpoint {
        "login" | "token" | "login_mfa" => "portcullis_logins_total",
        "create" => "portcullis_registrations_total",
        "verify" => "portcullis_verifications_total",
        "forget_password" => "portcullis_password_reset_requests_total",
        "reset_password" => "portcullis_password_resets_total",
        _ => return None,
    })
}
