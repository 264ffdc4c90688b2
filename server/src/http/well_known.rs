//! Well-known addresses (RFC 8615): security contact (RFC 9116), change of password (W3C), and the metadata that OAuth
//! clients configure themselves by (RFC 8414).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse as _;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::realm::Realm;
use serde_json::{Value, json};

use crate::config::AndroidApp;
use crate::http::app::App;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::PathParameter;
use crate::http::openapi::operation::{Operation, empty, ok, text};
use crate::http::openapi::schemas;
use crate::http::pages::{page, rfc3339};
use crate::http::problem::Problem;
use crate::http::response::{json, with_type};

/// Where a vulnerability of this software is reported privately.
const SECURITY_CONTACT: &str = "https://github.com/portcullis-auth/portcullis/security/advisories/new";
/// RFC 9116 recommends less than a year.
const SECURITY_EXPIRES: Duration = Duration::from_hours(180 * 24);

/// The schemas of the group.
pub fn schemas() -> Value {
    let words = || json!({"type": "array", "items": {"type": "string"}});
    let members = json!({
        "issuer": schemas::text("The `iss` of the realm's tokens."), "token_endpoint": schemas::text("An address."),
        "introspection_endpoint": schemas::text("An address."), "revocation_endpoint": schemas::text("An address."),
        "jwks_uri": schemas::text("Where signing is asymmetric."), "service_documentation": schemas::text("Unless `API_DOCS=off`."),
        "response_types_supported": words(), "grant_types_supported": words(), "token_endpoint_auth_methods_supported": words(),
        "introspection_endpoint_auth_methods_supported": words(), "revocation_endpoint_auth_methods_supported": words(),
    });
    let required = ["issuer", "token_endpoint", "response_types_supported", "grant_types_supported"];
    json!({
        "AuthorizationServer": schemas::object(&required, members),
        "PasskeyPages": schemas::object(&[], json!({"enroll": schemas::text("An address."), "manage": schemas::text("An address.")})),
        "AppleAssociation": schemas::object(&["webcredentials"], json!({"webcredentials": schemas::object(&["apps"], json!({"apps": words()}))})),
        "AssetLinks": json!({"type": "array", "items": {"type": "object"}}),
        "RelatedOrigins": schemas::object(&["origins"], json!({"origins": words()})),
    })
}

pub static SECURITY: Operation = Operation::new(
    "Security contact",
    "RFC 9116: where a vulnerability is reported.",
    &[text(200, "The file.", "text/plain")],
);

/// `GET /.well-known/security.txt`.
pub async fn security(State(app): State<Arc<App>>) -> HandlerResult {
    let expires = rfc3339(app.service.ports.clock.now() + SECURITY_EXPIRES);
    let canonical = format!("{}/.well-known/security.txt", app.public_url);
    let file = format!(
        "Contact: {SECURITY_CONTACT}\r\nExpires: {expires}\r\nPreferred-Languages: en\r\nCanonical: {canonical}\r\n"
    );
    Ok(with_type(StatusCode::OK, "text/plain; charset=utf-8", file))
}

pub static CHANGE_PASSWORD: Operation = Operation::new(
    "Change a password",
    "W3C's well-known address, which password managers open. Leads to `APP_URL`; without it, a page says how.",
    &[empty(303, "To `APP_URL`."), text(200, "The page.", "text/html")],
);

/// `GET /.well-known/change-password`.
pub async fn change_password(State(app): State<Arc<App>>, headers: HeaderMap) -> HandlerResult {
    if let Some(url) = &app.app_url {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, url.as_str())]).into_response());
    }
    let values = json!({"app_name": app.service.policy.app_name});
    page(&app, StatusCode::OK, "change_password.html", &app.locale(&headers), values)
}

pub static PASSKEY_PAGES: Operation = Operation::new(
    "Pages for passkeys",
    "W3C's well-known address, by which password managers offer passkeys: where one is added and managed. Without \
     `APP_URL` no page is named.",
    &[ok(200, "The pages.", "PasskeyPages")],
);

/// `GET /.well-known/passkey-endpoints`.
pub async fn passkey_pages(State(app): State<Arc<App>>) -> HandlerResult {
    let pages = match &app.app_url {
        Some(url) => json!({"enroll": url, "manage": url}),
        None => json!({}),
    };
    Ok(json(StatusCode::OK, &pages))
}

pub static RELATED_ORIGINS: Operation = Operation::new(
    "Origins that share passkeys",
    "WebAuthn Level 3, section 5.11: the origins of `PASSKEY_ORIGINS`. Browsers read it at `https://PASSKEY_RP_ID`.",
    &[ok(200, "The origins.", "RelatedOrigins")],
);

/// `GET /.well-known/webauthn`.
pub async fn related_origins(State(app): State<Arc<App>>) -> HandlerResult {
    Ok(json(StatusCode::OK, &json!({"origins": app.passkey_origins})))
}

pub static APPLE_APPS: Operation = Operation::new(
    "Apps of Apple's systems",
    "The apps of `PASSKEY_APPLE_APPS` that share passkeys with this domain; without any 404. Apple reads it at \
     `https://PASSKEY_RP_ID`.",
    &[ok(200, "The association.", "AppleAssociation")],
)
.errors(&[Code::NotFound]);

/// `GET /.well-known/apple-app-site-association`.
pub async fn apple_apps(State(app): State<Arc<App>>) -> HandlerResult {
    let (apps, _) = &app.passkey_apps;
    if apps.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(json(StatusCode::OK, &json!({"webcredentials": {"apps": apps}})))
}

pub static ANDROID_APPS: Operation = Operation::new(
    "Apps of Android",
    "Digital Asset Links: the apps of `PASSKEY_ANDROID_APPS` that share passkeys with this domain; without any 404. Android \
     reads it at `https://PASSKEY_RP_ID`.",
    &[ok(200, "The links.", "AssetLinks")],
)
.errors(&[Code::NotFound]);

/// `GET /.well-known/assetlinks.json`.
pub async fn android_apps(State(app): State<Arc<App>>) -> HandlerResult {
    let (_, apps) = &app.passkey_apps;
    if apps.is_empty() {
        return Err(Problem::not_found());
    }
    let link = |app: &AndroidApp| {
        json!({
            "relation": ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
            "target": {
                "namespace": "android_app", "package_name": app.package, "sha256_cert_fingerprints": [app.fingerprint()],
            },
        })
    };
    Ok(json(StatusCode::OK, &apps.iter().map(link).collect::<Value>()))
}

pub static METADATA: Operation = Operation::new(
    "Metadata of a realm",
    "RFC 8414. If `PUBLIC_URL` has a path, the realm stands behind it, as in `auth/User1`.",
    &[ok(200, "The metadata.", "AuthorizationServer")],
)
.path(&[("issuer", "The path of the issuer: the realm.")])
.errors(&[Code::NotFound]);

/// `GET /.well-known/oauth-authorization-server/{realm}`. A realm alone is that of a request whose path prefix the proxy
/// has removed.
pub async fn metadata(State(app): State<Arc<App>>, PathParameter(path): PathParameter) -> HandlerResult {
    let realm = realm_of(&app, &path).ok_or_else(Problem::not_found)?;
    let issuer = app.service.ports.signer.issuer(realm);
    let mut body = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"),
        "introspection_endpoint": format!("{issuer}/introspect"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "response_types_supported": [],
        "grant_types_supported": ["password", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
    });
    let keys = app.service.ports.signer.jwks().map(|_| ("jwks_uri", "/.well-known/jwks.json"));
    let documentation = app.api_docs.then_some(("service_documentation", "/docs"));
    if let Some(members) = body.as_object_mut() {
        let more = keys.into_iter().chain(documentation);
        members.extend(more.map(|(name, path)| (name.to_owned(), json!(format!("{}{path}", app.public_url)))));
    }
    Ok(json(StatusCode::OK, &body))
}

fn realm_of<'a>(app: &'a App, path: &str) -> Option<&'a Realm> {
    let prefix = app.path_prefix.trim_start_matches('/');
    let behind = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    app.realms.iter().find(|realm| path == realm.as_str() || behind == Some(realm.as_str()))
}
