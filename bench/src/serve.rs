//! The limit of a profile read: an axum handler that checks the same token and does nothing else, or one `GET` of Redis.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use redis::AsyncCommands as _;
use redis::aio::ConnectionManager;
use serde::Deserialize;
use serde_json::Value;

/// As long as a sealed copy of an account.
const COPY: usize = 700;
const KEY: &str = "portcullis-bench";

/// The claims of the server's tokens.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
}

struct Shared {
    key: DecodingKey,
    issuer: String,
    redis: Option<ConnectionManager>,
}

impl Shared {
    fn check(&self, headers: &HeaderMap) -> Option<String> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.key, &validation).ok()?.claims;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        let good = claims.iss == self.issuer && claims.aud == "User1" && now.cast_signed() < claims.exp;
        good.then_some(claims.sub)
    }
}

/// Serves until it is killed.
pub async fn run(port: u16, secret: &str, issuer: &str, redis: Option<&str>) -> Result<Value> {
    let redis = match redis {
        Some(url) => {
            let mut manager = ConnectionManager::new(redis::Client::open(url)?).await?;
            let () = manager.set(KEY, vec![7_u8; COPY]).await?;
            Some(manager)
        }
        None => None,
    };
    let key = DecodingKey::from_secret(secret.as_bytes());
    let shared = Arc::new(Shared { key, issuer: issuer.to_owned(), redis });
    let router = Router::new().route("/token", get(token)).route("/redis", get(token_and_redis)).with_state(shared);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, router).await.context("it stopped")?;
    Ok(Value::Null)
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<String, StatusCode> {
    shared.check(&headers).ok_or(StatusCode::UNAUTHORIZED)
}

async fn token_and_redis(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Vec<u8>, StatusCode> {
    shared.check(&headers).ok_or(StatusCode::UNAUTHORIZED)?;
    let mut redis = shared.redis.clone().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    redis.get(KEY).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
