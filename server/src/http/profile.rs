//! The caller's own profile.

use axum::response::Response;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_core::model::code::Code;
use portcullis_core::model::email::Email;
use portcullis_core::model::user::Profile;
use portcullis_core::use_cases::update_profile::ProfileChanges;
use serde::Serialize;

use crate::http::context::{Accepts, Context, json};
use crate::http::endpoint::Answer;
use crate::http::pages::rfc3339;
use crate::http::problem::Problem;

/// `GET /`.
///
/// # Errors
/// As the contract lists them.
pub async fn show(context: Context) -> Answer {
    let caller = context.caller()?;
    let mut query = context.query()?;
    let asked = query.text("id");
    query.finish()?;
    if asked.is_some_and(|id| id != caller.user.id.to_string()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden));
    }
    let etag = etag(caller.user.version);
    if context.headers.get(IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        let mut unchanged = Response::new(axum::body::Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(with_etag(unchanged, &etag));
    }
    Ok(profile(&context.service().show_profile(caller)?))
}

/// `PUT` or `PATCH /update`.
///
/// # Errors
/// As the contract lists them.
pub async fn update(context: Context) -> Answer {
    let caller = context.caller()?;
    let mut members = context.body(Accepts::Json)?;
    let [first_name, last_name, email, phone, country_code] =
        ["first_name", "last_name", "email", "phone", "country_code"].map(|name| members.text(name));
    let changes = ProfileChanges {
        first_name: first_name.as_deref(),
        last_name: last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        country_code: country_code.as_deref(),
    };
    let expected = expected_version(&context.headers, caller.user.version)?;
    let changed = context.service().update_profile(caller, changes, expected, members.violations()).await?;
    Ok(profile(&changed))
}

/// The version `If-Match` asks for, of those it lists the one there is; `*` asks for none in particular.
fn expected_version(headers: &HeaderMap, current: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let listed: Vec<&str> = value.to_str().unwrap_or_default().split(',').map(str::trim).collect();
    if listed == ["*"] {
        return Ok(None);
    }
    if listed.contains(&etag(current).as_str()) {
        return Ok(Some(current));
    }
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed))
}

fn etag(version: u64) -> String {
    format!("\"v{version}\"")
}

fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
    response
}

fn profile(profile: &Profile) -> Response {
    with_etag(json(StatusCode::OK, &OnTheWire::of(profile)), &etag(profile.version))
}

/// A profile on the wire.
#[derive(Debug, Serialize)]
pub struct OnTheWire<'a> {
    id: String,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<&'a str>,
    phone: &'a str,
    country_code: String,
    country: &'a str,
    is_email_verified: bool,
    is_phone_verified: bool,
    mfa: Factors,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct Factors {
    sms: bool,
}

impl<'a> OnTheWire<'a> {
    /// As its owner sees it.
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
            is_email_verified: true,
            is_phone_verified: profile.phone_verified,
            mfa: Factors { sms: profile.mfa_sms },
            created_at: rfc3339(profile.created_at),
            updated_at: rfc3339(profile.updated_at),
        }
    }
}
