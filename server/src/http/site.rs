//! The whole application: which path is whose, and what browsers of other origins may do.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, ORIGIN, RETRY_AFTER, VARY};
use http::{HeaderName, HeaderValue, Method, Request};
use percent_encoding::percent_decode_str;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::app::App;
use crate::http::dispatch::{Route, dispatch};
use crate::http::edge::edge;
use crate::http::problem::{Dialect, Problem};
use crate::http::request_id::RequestId;
use crate::http::routes;

/// Parameters of a path, by their names.
pub type PathParameters = Vec<(String, String)>;

/// Every path of a server. Requests come straight from the connection: between it and an endpoint stand the edge and
/// a look at this table.
pub struct Site {
    app: Arc<App>,
    paths: matchit::Router<Route>,
    cors: CorsLayer,
}

impl Site {
    /// Of an application.
    ///
    /// # Errors
    /// When two rows of the tables want one path.
    pub fn new(app: Arc<App>) -> Result<Arc<Self>, String> {
        let mut paths = matchit::Router::new();
        for (path, route) in routes(&app) {
            paths.insert(&path, route).map_err(|error| format!("{path}: {error}"))?;
        }
        let cors = cors(&app);
        Ok(Arc::new(Self { app, paths, cors }))
    }

    /// Answers a request that came from there.
    pub async fn answer(&self, peer: SocketAddr, request: Request<Body>) -> Response {
        let id = RequestId::random(&self.app.request_ids);
        // boxed: it is some kilobytes large, and everything that is wrapped around it would move them
        let answer = Box::pin(self.shared(peer.ip(), &id, request));
        edge(&self.app, &id, answer).await
    }

    /// Says what pages of other origins may see of it. Where no page asks, only that the answer could have been another.
    async fn shared(&self, peer: IpAddr, id: &RequestId, request: Request<Body>) -> Response {
        if request.headers().contains_key(ORIGIN) {
            let route = |request| async move { Ok::<_, Infallible>(self.route(peer, id, request).await) };
            let Ok(response) = Box::pin(self.cors.layer(service_fn(route)).oneshot(request)).await;
            return response;
        }
        let mut response = self.route(peer, id, request).await;
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        response
    }

    async fn route(&self, peer: IpAddr, id: &RequestId, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let found = self.paths.at(parts.uri.path()).ok().and_then(|found| Some((found.value, decoded(&found.params)?)));
        match found {
            Some((route, parameters)) => dispatch(route, parameters, peer, id, parts, body).await,
            None => Problem::not_found().respond(Dialect::Problem, &id.0),
        }
    }
}

/// What the parameters are once decoded; `None` where that is no text.
fn decoded(parameters: &matchit::Params<'_, '_>) -> Option<PathParameters> {
    let decode = |(name, value): (&str, &str)| {
        let value = percent_decode_str(value).decode_utf8().ok()?;
        Some((name.to_owned(), value.into_owned()))
    };
    parameters.iter().map(decode).collect()
}

/// Browsers of the listed origins may call; nobody else's, and never with ambient credentials.
fn cors(app: &App) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(app.cors_origins.clone()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_MATCH])
        .expose_headers([
            ETAG,
            RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(std::time::Duration::from_secs(600))
}
