//! The caller's own profile.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::email::Email;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::user::Profile;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::app::App;
use crate::http::auth::Authenticated;
use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::factors::factors_json;
use crate::http::openapi::operation::{JSON, Operation, Outcome, empty, ok, optional};
use crate::http::openapi::schemas;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;
use crate::http::response::json;

/// The fields that a profile and a registration share.
const INPUT: &[&str] = &["first_name", "last_name", "email", "phone", "country_code"];

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "ProfileChanges": schemas::object(&[], json!({
            "first_name": schemas::first_name(), "last_name": schemas::last_name(), "email": schemas::email(), "phone": schemas::phone(), "country_code": schemas::country_code(), "locale": schemas::text("BCP 47: the language of mails, SMS and pages."),
            "password": schemas::known_password("For a new e-mail or phone, instead of a recent login."),
        })),
        "Profile": schemas::object(&[&["id", "country", "is_email_verified", "is_phone_verified", "mfa", "created_at", "updated_at", "locale"], INPUT].concat(), json!({
            "id": schemas::id("usr"), "first_name": schemas::text("As given."), "last_name": schemas::text("As given."), "email": schemas::text("As typed."),
            "pending_email": schemas::text("A new address that waits for its link."), "phone": schemas::text("E.164."), "country_code": schemas::text("As given."),
            "country": schemas::text("ISO 3166-1 alpha-2, derived."), "locale": schemas::text("BCP 47."), "is_email_verified": {"type": "boolean"}, "is_phone_verified": {"type": "boolean"},
            "mfa": {"$ref": "#/components/schemas/Factors"}, "created_at": schemas::time(), "updated_at": schemas::time(),
        })),
    })
}

pub static SHOW: Operation = Operation::new(
    "Your profile",
    "The caller's own data. `id`, where given, must be the caller's.",
    &[
        Outcome { etag: true, ..ok(200, "The profile.", "Profile") },
        Outcome { etag: true, ..empty(304, "The version of `If-None-Match`.") },
    ],
)
.query(&[optional("id", "Must be the caller's own.")])
.headers(&[("If-None-Match", "An `ETag` the client has.")])
.errors(&[Code::Forbidden]);

pub async fn show(State(app): State<Arc<App>>, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut query = input.query()?;
    let id = query.text("id");
    query.finish()?;
    if id.is_some_and(|id| id != caller.user.id.to_string()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden));
    }
    let etag = app.service.profile_tag(&caller.user.realm, &caller.user.id, caller.user.version);
    if input.headers.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        let mut unchanged = Response::new(axum::body::Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(with_etag(unchanged, &etag));
    }
    Ok(profile(&app.service, &caller.user.realm, &app.service.accounts().show_profile(&caller)?))
}

pub static UPDATE: Operation = Operation::new(
    "Change your profile",
    "Members that are left out stay as they are. A new e-mail counts once its link is followed; \
     a new phone is unverified. Either needs a login of the last 15 minutes, or `password`.",
    &[Outcome { etag: true, ..ok(200, "The changed profile.", "Profile") }],
)
.headers(&[("If-Match", "The `ETag` the change is meant for.")])
.body(&[JSON], "ProfileChanges")
.example(r#"{"first_name":"Jane"}"#)
.errors(&[
    Code::PreconditionFailed,
    Code::MfaInUse,
    Code::TooManyChanges,
    Code::ReauthenticationRequired,
    Code::WrongPassword,
    Code::Overloaded,
]);

pub async fn update(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let [first_name, last_name, email, phone, country_code, locale] =
        ["first_name", "last_name", "email", "phone", "country_code", "locale"].map(|name| fields.text(name));
    let password = fields.secret("password");
    let changes = ProfileChanges {
        first_name: first_name.as_deref(),
        last_name: last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        country_code: country_code.as_deref(),
        locale: locale.as_deref(),
    };
    let user = &caller.user;
    let current = context.service().profile_tag(&user.realm, &user.id, user.version);
    let expected = expected_version(&input.headers, &current, user.version)?;
    let given = Reauthentication::by_password(password.as_ref().map(SecretString::expose), &context.client);
    let changed =
        context.service().accounts().update_profile(&caller, changes, expected, fields.violations(), given).await?;
    Ok(profile(context.service(), &context.realm, &changed))
}

/// The version that `If-Match` demands: one of its list must be the current one; `*` matches every version.
///
/// # Errors
/// `precondition_failed`.
pub fn expected_version(headers: &HeaderMap, tag: &str, current: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let listed: Vec<&str> = value.to_str().unwrap_or_default().split(',').map(str::trim).collect();
    if listed == ["*"] {
        return Ok(None);
    }
    if listed.contains(&tag) {
        return Ok(Some(current));
    }
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed))
}

/// A response with the version of its account.
pub fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

fn profile(service: &AuthService, realm: &Realm, profile: &Profile) -> Response {
    let tag = service.profile_tag(realm, &profile.id, profile.version);
    with_etag(json(StatusCode::OK, &ProfileResponse::of(profile)), &tag)
}

/// A profile in JSON.
#[derive(Debug, Serialize)]
pub struct ProfileResponse<'a> {
    id: String,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<&'a str>,
    phone: &'a str,
    country_code: String,
    country: &'a str,
    locale: &'a str,
    is_email_verified: bool,
    is_phone_verified: bool,
    mfa: Value,
    created_at: String,
    updated_at: String,
}

impl<'a> ProfileResponse<'a> {
    /// As the owner sees it.
    #[must_use]
    pub fn of(profile: &'a Profile) -> Self {
        Self {
            id: profile.id.to_string(),
            first_name: profile.first_name.as_str(),
            last_name: profile.last_name.as_str(),
            email: profile.email.as_str(),
            pending_email: profile.pending_email.as_ref().map(Email::as_str),
            phone: profile.phone.as_str(),
            country_code: profile.country_code.to_string(),
            country: profile.country.as_str(),
            locale: profile.locale.as_str(),
            is_email_verified: true,
            is_phone_verified: profile.phone_verified,
            mfa: factors_json(profile.factors),
            created_at: rfc3339(profile.created_at),
            updated_at: rfc3339(profile.updated_at),
        }
    }
}
