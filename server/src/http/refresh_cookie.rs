//! Cookie mode: a browser keeps the refresh token in a cookie that no script can read (docs/http-api.md, "Cookie mode").
//! The cookie is set, read and cleared only for a POST of an allowed page: with the `Origin` of `PUBLIC_URL` or of
//! `CORS_ORIGINS`, and with `X-Requested-With`, which a page of another site can't send.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use serde::Serialize;
use serde_json::{Value, json as value};

use crate::http::app::App;
use crate::http::extract::realm_of;
use crate::http::form_fields::FormFields;
use crate::http::problem::Problem;
use crate::http::response::json;

const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// The conditions of cookie mode, as an error tells them.
pub const CONDITIONS: &str = "the cookie counts only in a POST with an Origin of PUBLIC_URL or CORS_ORIGINS and with \
                              X-Requested-With";

/// Where an answer like that of a login has the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenDelivery {
    /// In the body.
    Body,
    /// In the cookie, and nowhere else.
    Cookie,
}

/// The field `token_delivery`.
pub fn delivery_schema() -> Value {
    value!({"type": "string", "enum": ["body", "cookie"], "description": "`body` where it is missing. `cookie`: the refresh token comes in the cookie `__Host-refresh-{realm}`. For pages of `PUBLIC_URL` and `CORS_ORIGINS` that send `X-Requested-With`."})
}

/// The body of such an answer (RFC 6749, section 5.1).
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(flatten)]
    members: BTreeMap<&'static str, &'a Value>,
}

/// The cookie of a request, and whether it counts.
pub struct RefreshCookie {
    name: String,
    /// Seconds.
    max_age: u64,
    allowed: bool,
    /// Whether the request has the cookie, read or not.
    sent: bool,
    token: Option<SecretString>,
}

impl FromRequestParts<Arc<App>> for RefreshCookie {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let name = cookie_name(realm_of(parts)?);
        let allowed = parts.method == Method::POST && is_allowed_page(app, &parts.headers);
        let values: Vec<&str> = cookies(&parts.headers, &name).collect();
        if allowed && values.len() > 1 {
            return Err(Problem::malformed(format!("the cookie {name} is there more than once")));
        }
        let token = values.first().filter(|_| allowed).map(|value| SecretString::new(*value));
        let max_age = app.service.policy.lifetimes.refresh_idle.as_secs();
        Ok(Self { max_age, allowed, sent: !values.is_empty(), token, name })
    }
}

impl RefreshCookie {
    /// The refresh token of the cookie; `None` unless an allowed page sent it.
    #[must_use]
    pub const fn token(&self) -> Option<&SecretString> {
        self.token.as_ref()
    }

    /// Whether there is a cookie that does not count.
    #[must_use]
    pub const fn is_ignored(&self) -> bool {
        self.sent && self.token.is_none()
    }

    /// Takes `token_delivery` from the fields of a request.
    ///
    /// # Errors
    /// `forbidden` where a page may not use the cookie, `validation_failed` for another word.
    pub fn take_delivery(&self, fields: &mut FormFields) -> Result<TokenDelivery, Problem> {
        match fields.text("token_delivery").as_deref() {
            None | Some("body") => Ok(TokenDelivery::Body),
            Some("cookie") if self.allowed => Ok(TokenDelivery::Cookie),
            Some("cookie") => Err(Problem::new(StatusCode::FORBIDDEN, Code::Forbidden).detail(CONDITIONS)),
            Some(_) => {
                let violation = Violation::with_message("token_delivery", Code::ValueInvalid, "must be body or cookie");
                Err(Problem::invalid(vec![violation]))
            }
        }
    }

    /// The answer to a login, a refresh or a changed password.
    #[must_use]
    pub fn respond(&self, delivery: TokenDelivery, pair: &TokenPair) -> Response {
        self.respond_with(delivery, pair, &[])
    }

    /// The same with more members.
    #[must_use]
    pub fn respond_with(
        &self,
        delivery: TokenDelivery,
        pair: &TokenPair,
        members: &[(&'static str, Value)],
    ) -> Response {
        let refresh_token = pair.refresh.expose();
        let body = TokenResponse {
            access_token: pair.access.expose(),
            token_type: "bearer",
            expires_in: pair.expires_in,
            refresh_token: (delivery == TokenDelivery::Body).then_some(refresh_token),
            members: members.iter().map(|(name, value)| (*name, value)).collect(),
        };
        let mut response = json(StatusCode::OK, &body);
        if delivery == TokenDelivery::Cookie {
            self.set(&mut response, refresh_token, self.max_age);
        }
        response
    }

    /// Clears the cookie, if the request has it and it counts.
    pub fn clear(&self, response: &mut Response) {
        if self.token.is_some() {
            self.set(response, "", 0);
        }
    }

    /// A refresh token is letters, digits, `-` and `_`, a realm too: nothing has to be quoted (RFC 6265, section 4.1.1).
    fn set(&self, response: &mut Response, value: &str, max_age: u64) {
        let cookie = format!("{}={value}; Path=/; Max-Age={max_age}; HttpOnly; Secure; SameSite=Lax", self.name);
        if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
            cookie.set_sensitive(true);
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}

/// `__Host-`: browsers take it over TLS only, without `Domain`, so that no other host can set it.
fn cookie_name(realm: &Realm) -> String {
    format!("__Host-refresh-{realm}")
}

/// The values of a cookie. HTTP/2 may split the header (RFC 9113, section 8.2.3).
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let pairs = pairs.flat_map(|header| header.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

fn is_allowed_page(app: &App, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let known = app.public_origin.as_ref() == Some(origin) || app.cors_origins.contains(origin);
    known && headers.get(X_REQUESTED_WITH).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_in_several_headers() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-refresh-User1=one ;b=__Host-refresh-User1=no"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-refresh-User10=other; __Host-refresh-User1=two"));
        assert_eq!(cookies(&headers, "__Host-refresh-User1").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(cookies(&headers, "__Host-refresh-User2").count(), 0);
    }
}
