//! Extractors for the authenticated caller, the operator and the service client.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::credential::Scope;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::shared::caller::Caller;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::http::app::App;
use crate::http::extract::{check_query, read, realm_of};
use crate::http::form_fields::FormFields;
use crate::http::problem::Problem;

/// The user whose access token the request carries.
pub struct Authenticated(pub Caller);

/// Proof that the request carries an operator token.
pub struct Operator;

/// Proof that the request comes from a service client or an operator.
pub struct ServiceClient;

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = authenticate(app, realm_of(parts)?, &parts.headers).await?;
        check_query(parts)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if may_observe(app, &parts.headers).await? {
            check_query(parts)?;
            return Ok(Self);
        }
        Err(Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated)
            .detail("a valid operator token is needed, such as OPERATOR_TOKEN")
            .challenge("Bearer realm=\"operator\""))
    }
}

impl FromRequestParts<Arc<App>> for ServiceClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        if parts.extensions.get::<ClientId>().is_some() {
            check_query(parts)?;
            return Ok(Self);
        }
        Err(invalid_client(realm_of(parts)?))
    }
}

/// Verifies the access token of a request.
///
/// # Errors
/// `not_authenticated` with a challenge (RFC 6750, section 3), or `unavailable`.
pub async fn authenticate(app: &App, realm: &Realm, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(token) = credentials(headers, "bearer") else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated)
            .challenge(&format!("Bearer realm=\"{realm}\"")));
    };
    app.service.sessions().authenticate(realm, token).await.map_err(|error| match Problem::from(error) {
        problem if problem.status == StatusCode::UNAUTHORIZED => {
            problem.challenge(&format!("Bearer realm=\"{realm}\", error=\"invalid_token\""))
        }
        problem => problem,
    })
}

/// The credentials of that scheme in `Authorization`; `None` if the header is there more than once.
#[must_use]
pub fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Whether the request carries `OPERATOR_TOKEN`, which may do this alone, or an operator token with the scope `observe`.
async fn may_observe(app: &App, headers: &HeaderMap) -> Result<bool, Problem> {
    let Some(token) = credentials(headers, "bearer") else { return Ok(false) };
    if matches_any(token.as_bytes(), app.operator_tokens.iter()) {
        return Ok(true);
    }
    Ok(app.service.verify_operator_token(token, Scope::Observe).await?.is_some())
}

/// The realm's operator token with the scope `introspect` that the request carries.
async fn introspecting_token(app: &App, realm: &Realm, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(token) = credentials(headers, "bearer") else { return Ok(None) };
    let token = app.service.verify_operator_token(token, Scope::Introspect).await?;
    Ok(token.filter(|token| token.realm == *realm).map(|token| token.name.to_string()))
}

/// The service client or operator token that a request authenticates. It is in the request's extensions.
#[derive(Clone)]
pub struct ClientId(pub String);

fn invalid_client(realm: &Realm) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, Code::InvalidClient)
        .oauth("invalid_client")
        .challenge(&format!("Basic realm=\"{realm}\", charset=\"UTF-8\""))
}

/// Reads the whole body. The request is given back, its body as it was.
pub async fn read_whole(request: Request) -> Result<(Request, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let body = Bytes::from_owner(read(body).await?);
    Ok((Request::from_parts(parts, Body::from(body.clone())), body))
}

/// Finds the service client of a request: by `Authorization`, or without it by `client_id` and `client_secret` of the
/// form (RFC 6749, section 2.3.1). The request is given back, its body as it was, with whether it has any credentials.
///
/// # Errors
/// When the body can't be read; `unavailable`.
pub async fn identify_client(
    app: &App,
    realm: &Realm,
    mut request: Request,
) -> Result<(Request, Option<ClientId>, bool), Problem> {
    let headers = request.headers();
    let mut tried = headers.contains_key(AUTHORIZATION);
    let mut id = introspecting_token(app, realm, headers).await?;
    if id.is_none() {
        id = basic_client(app, realm, headers).await?;
    }
    if id.is_none() && !tried {
        let body;
        (request, body) = read_whole(request).await?;
        if let Ok(mut form) = FormFields::from_form(&body) {
            tried = form.is_filled("client_secret");
            id = posted_client(app, realm, &mut form).await?;
        }
    }
    let id = id.map(ClientId);
    if let Some(id) = &id {
        request.extensions_mut().insert(id.clone());
    }
    Ok((request, id, tried))
}

/// The service client that a request to the token endpoint authenticates. Without a secret there is none: `client_id`
/// alone is a name, and viewers and libraries send empty credentials for a public client.
///
/// # Errors
/// `invalid_client` for wrong credentials, `malformed_request` for two kinds of them, `unavailable`.
pub async fn token_client(
    app: &App,
    realm: &Realm,
    headers: &HeaderMap,
    form: &mut FormFields,
) -> Result<Option<String>, Problem> {
    let basic = credentials(headers, "basic");
    let is_public = |given: &str| STANDARD.decode(given).is_ok_and(|given| given.ends_with(b":"));
    let basic = basic.filter(|given| !is_public(given));
    let posts_secret = form.is_filled("client_secret");
    let client = match (basic, posts_secret) {
        (None, false) => return Ok(None),
        (Some(_), true) => return Err(Problem::malformed("the client authenticates in two ways")),
        (Some(_), false) => basic_client(app, realm, headers).await?,
        (None, true) => posted_client(app, realm, form).await?,
    };
    client.map(Some).ok_or_else(|| invalid_client(realm))
}

/// The service client of HTTP Basic, its id and secret form-encoded (RFC 6749, section 2.3.1) or raw.
async fn basic_client(app: &App, realm: &Realm, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    for (id, secret) in basic_credentials(headers).into_iter().flatten() {
        if let Some(id) = known_client(app, realm, id, &secret).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The id and the secret of HTTP Basic, raw and decoded.
fn basic_credentials(headers: &HeaderMap) -> [Option<(String, SecretString)>; 2] {
    let parse = || {
        let given = Zeroizing::new(STANDARD.decode(credentials(headers, "basic")?).ok()?);
        let (id, secret) = std::str::from_utf8(&given).ok()?.split_once(':')?;
        let decoded = form_decoded(id).zip(form_decoded(secret).map(SecretString::new));
        Some([Some((id.to_owned(), SecretString::new(secret))), decoded])
    };
    parse().unwrap_or_default()
}

async fn posted_client(app: &App, realm: &Realm, form: &mut FormFields) -> Result<Option<String>, Problem> {
    let (Some(id), Some(secret)) = (form.text("client_id"), form.secret("client_secret")) else { return Ok(None) };
    known_client(app, realm, id, &secret).await
}

/// The id of a client of `SERVICE_CLIENTS`, or of one that an operator has made.
async fn known_client(app: &App, realm: &Realm, id: String, secret: &SecretString) -> Result<Option<String>, Problem> {
    let of_realm = app.service_clients.iter().filter(|client| client.realm == *realm && client.id == id);
    let known = matches_any(secret.expose().as_bytes(), of_realm.map(|client| &client.secret))
        || app.service.verify_client(realm, &id, secret.expose()).await?;
    Ok(known.then_some(id))
}

fn form_decoded(text: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    let (decoded, value) = pairs.next()?;
    (value.is_empty() && pairs.next().is_none()).then(|| decoded.into_owned())
}

/// Compares with every known secret, so that the time does not tell which one matched.
fn matches_any<'a>(given: &[u8], known: impl Iterator<Item = &'a SecretString>) -> bool {
    known.fold(Choice::from(0), |any, known| any | known.expose().as_bytes().ct_eq(given)).into()
}
