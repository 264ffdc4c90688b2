//! For services: token introspection (RFC 7662), revocation (RFC 7009) and the public keys (RFC 7517).

use std::sync::Arc;

use axum::extract::State;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::ports::token_signer::{BACKDATED_SECONDS, EARLY_SECONDS};
use portcullis_core::use_cases::session::introspect::ActiveToken;
use serde_json::{Value, json};

use crate::http::app::App;
use crate::http::auth::ServiceClient;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::openapi::operation::{FORM, Operation, Outcome, ok};
use crate::http::openapi::schemas;
use crate::http::problem::Problem;
use crate::http::response::{json, with_type};

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "TokenForm": schemas::form(&["token"], json!({"token": schemas::text("An access or refresh token."), "token_type_hint": {"type": "string", "enum": ["access_token", "refresh_token"]},
            "client_id": schemas::text("Unless in `Authorization`: the service client."), "client_secret": schemas::text("Its secret."),
        })),
        "Introspection": json!({"oneOf": [
            schemas::object(&["active"], json!({"active": {"const": false}})),
            schemas::form(&["active", "token_type", "sub", "aud", "exp"], json!({
                "active": {"const": true}, "token_type": {"type": "string", "enum": ["Bearer", "refresh_token"]}, "iss": schemas::text("The issuer."),
                "aud": schemas::text("The realm."), "sub": schemas::id("usr"), "sid": schemas::id("ses"), "jti": schemas::id("jti"),
                "iat": {"type": "integer"}, "nbf": {"type": "integer"}, "exp": {"type": "integer"}, "auth_time": {"type": "integer"}, "amr": {"type": "array", "items": {"type": "string"}}, "acr": {"type": "string"}, "client_id": {"type": "string"}, "roles": schemas::roles(),
            })),
        ]}),
        "JwkSet": schemas::form(&["keys"], json!({"keys": {"type": "array", "items": {"type": "object"}}})),
        "Empty": schemas::object(&[], json!({})),
    })
}

pub static INTROSPECT: Operation = Operation::new(
    "Introspect a token",
    "RFC 7662. An inactive token is exactly `{\"active\":false}`.",
    &[ok(200, "What it is.", "Introspection")],
)
.body(&[FORM], "TokenForm");

pub async fn introspect(context: RealmContext, _: ServiceClient, input: Input) -> HandlerResult {
    let token = token_of(&input)?;
    let realm = &context.realm;
    let service = context.service();
    let body = match service.sessions().introspect(realm, token.expose()).await? {
        None => json!({"active": false}),
        Some(token) => describe(realm, &service.ports.signer.issuer(realm), &token),
    };
    Ok(json(StatusCode::OK, &body))
}

pub static REVOKE: Operation = Operation::new(
    "Revoke a token",
    "RFC 7009. Ends the token's session; an unknown token is no error.",
    &[ok(200, "Revoked.", "Empty")],
)
.body(&[FORM], "TokenForm");

pub async fn revoke(context: RealmContext, input: Input) -> HandlerResult {
    let token = token_of(&input)?;
    context.service().sessions().revoke(&context.realm, token.expose()).await?;
    Ok(json(StatusCode::OK, &json!({})))
}

pub static JWKS: Operation = Operation::new(
    "Public keys",
    "RFC 7517, where `SIGNING` is `ES256` or `EdDSA`.",
    &[Outcome { media: Some("application/jwk-set+json"), ..ok(200, "The keys.", "JwkSet") }],
)
.errors(&[Code::NotFound]);

/// `GET /.well-known/jwks.json`; `not_found` if signing is symmetric.
pub async fn jwks(State(app): State<Arc<App>>) -> HandlerResult {
    let keys = app.service.ports.signer.jwks().ok_or_else(Problem::not_found)?;
    let mut response = with_type(StatusCode::OK, "application/jwk-set+json", keys);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    Ok(response)
}

/// The token of the form. `token_type_hint` is ignored: the token itself tells its type.
fn token_of(input: &Input) -> Result<SecretString, Problem> {
    let mut fields = input.body(Accepts::Form)?;
    let token = fields.secret("token").filter(|token| !token.expose().is_empty());
    token.ok_or_else(|| Problem::malformed("token is missing"))
}

fn describe(realm: &Realm, issuer: &str, token: &ActiveToken) -> Value {
    match token {
        ActiveToken::Access(claims) => {
            let mut shown = json!({
                "active": true,
                "token_type": "Bearer",
                "iss": issuer,
                "aud": realm.as_str(),
                "sub": claims.user.to_string(),
                "sid": claims.session.to_string(),
                "jti": claims.id.to_string(),
                "iat": claims.issued_at.as_secs() - EARLY_SECONDS,
                "nbf": claims.issued_at.as_secs() - EARLY_SECONDS - BACKDATED_SECONDS,
                "exp": claims.expires_at.as_secs() - EARLY_SECONDS,
                "auth_time": claims.authenticated_at.as_secs(),
                "amr": claims.methods.amr(),
                "acr": claims.methods.acr(),
                "client_id": claims.client_id,
            });
            if let (false, Some(members)) = (claims.roles.is_empty(), shown.as_object_mut()) {
                members.insert("roles".to_owned(), json!(claims.roles.names()));
            }
            shown
        }
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
