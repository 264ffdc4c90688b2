//! For services: what a token is (RFC 7662), taking one back (RFC 7009), and the keys to check one alone (RFC 7517).

use http::HeaderValue;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use portcullis_core::model::realm::Realm;
use portcullis_core::use_cases::introspect::ActiveToken;
use serde_json::{Value, json};

use crate::http::context::{Accepts, Context, json, with_type};
use crate::http::endpoint::Answer;
use crate::http::problem::Problem;

/// `POST /introspect`.
///
/// # Errors
/// As the contract lists them.
pub async fn introspect(context: Context) -> Answer {
    let token = presented(&context)?;
    let realm = context.realm()?;
    let service = context.service();
    let body = match service.introspect(realm, &token).await? {
        None => json!({"active": false}),
        Some(token) => describe(realm, service.ports.signer.issuer(), &token),
    };
    Ok(json(StatusCode::OK, &body))
}

/// `POST /revoke`.
///
/// # Errors
/// As the contract lists them.
pub async fn revoke(context: Context) -> Answer {
    let token = presented(&context)?;
    context.service().revoke(context.realm()?, &token).await?;
    Ok(json(StatusCode::OK, &json!({})))
}

/// `GET /.well-known/jwks.json`: where signing is asymmetric.
///
/// # Errors
/// `not_found` where it is not.
pub async fn jwks(context: Context) -> Answer {
    let keys = context.service().ports.signer.jwks().ok_or_else(Problem::not_found)?;
    let mut response = with_type(StatusCode::OK, "application/jwk-set+json", keys);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

/// The token of the form. Its hint is only a hint: we know our tokens by themselves.
fn presented(context: &Context) -> Result<String, Problem> {
    let mut members = context.body(Accepts::Form)?;
    let token = members.text("token").filter(|token| !token.is_empty());
    token.ok_or_else(|| Problem::malformed("token is missing"))
}

fn describe(realm: &Realm, issuer: &str, token: &ActiveToken) -> Value {
    match token {
        ActiveToken::Access(claims) => json!({
            "active": true,
            "token_type": "Bearer",
            "iss": issuer,
            "aud": realm.as_str(),
            "sub": claims.user.to_string(),
            "sid": claims.session.to_string(),
            "jti": claims.id.to_string(),
            "iat": claims.issued_at.as_secs(),
            "nbf": claims.issued_at.as_secs(),
            "exp": claims.expires_at.as_secs(),
            "auth_time": claims.authenticated_at.as_secs(),
        }),
        ActiveToken::Refresh { user, session, issued_at, expires_at } => json!({
            "active": true,
            "token_type": "refresh_token",
            "iss": issuer,
            "aud": realm.as_str(),
            "sub": user.to_string(),
            "sid": session.to_string(),
            "iat": issued_at.as_secs(),
            "exp": expires_at.as_secs(),
        }),
    }
}
