//! Login: the password form, and OAuth 2.0's token endpoint.

use http::StatusCode;
use portcullis_core::model::code::Code;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use serde_json::{Value, json};

use crate::http::auth::token_client;
use crate::http::devices::token_schema;
use crate::http::endpoint::HandlerResult;
use crate::http::enrolment::enrolment_required;
use crate::http::error::too_many;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{FORM, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::problem::Problem;
use crate::http::rate_limit::RateLimit;
use crate::http::refresh_cookie::{self, RefreshCookie, TokenDelivery, delivery_schema};
use crate::http::second_factors::mfa_required;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Login": schemas::form(&["username", "password"], json!({
            "username": schemas::username(), "password": schemas::known_password("The password."), "grant_type": schemas::only("password"),
            "scope": schemas::text("Accepted, without effect."), "client_id": schemas::text("Accepted, without effect."), "token_delivery": delivery_schema(), "device_token": token_schema(),
        })),
        "TokenRequest": token_request(),
        "TokenPair": schemas::object(&["access_token", "token_type", "expires_in"], json!({
            "access_token": schemas::text("A JWT (RFC 9068)."), "token_type": schemas::only("bearer"),
            "expires_in": {"type": "integer", "description": "Seconds."}, "refresh_token": schemas::text("Opaque; good for one exchange. In cookie mode it is in the cookie instead."),
            "device_token": schemas::text("After `remember_device`: opaque, good for 30 days."),
        })),
    })
}

/// One object, because viewers and generators make no form of alternatives.
fn token_request() -> Value {
    let about = "`password` needs `username` and `password`, `refresh_token` needs `refresh_token`.";
    let grant_type = json!({"type": "string", "enum": ["password", "refresh_token"], "description": about, "examples": ["password"]});
    let client = "With `client_secret`, unless in `Authorization`: the client that the tokens are for.";
    let members = json!({
        "grant_type": grant_type, "username": schemas::username(), "password": schemas::known_password("The password."),
        "refresh_token": schemas::text("The newest refresh token, unless the cookie has it."), "scope": schemas::text("Accepted, without effect."),
        "client_id": schemas::text(client), "client_secret": schemas::text("The secret of a service client."),
        "token_delivery": delivery_schema(),
    });
    schemas::form(&["grant_type"], members)
}

pub static LOGIN: Operation =
    Operation::new("Log in", "The password form of OAuth 2.0.", &[ok(200, "Logged in.", "TokenPair")])
        .body(&[FORM], "Login")
        .errors(&[
            Code::InvalidCredentials,
            Code::EmailNotVerified,
            Code::MfaRequired,
            Code::MfaEnrolmentRequired,
            Code::Overloaded,
            Code::UnsupportedGrantType,
            Code::Forbidden,
        ]);

pub async fn login(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Form)?;
    let delivery = cookie.take_delivery(&mut fields)?;
    let (username, password) = (fields.required_text("username"), fields.required_secret("password"));
    if fields.text("grant_type").is_some_and(|grant| grant != "password" && !grant.is_empty()) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, Code::UnsupportedGrantType).oauth("unsupported_grant_type"));
    }
    let device = fields.secret("device_token");
    fields.finish_ignoring_unknown()?;
    let challenge = format!("Bearer realm=\"{}\"", context.realm);
    let outcome = password_grant(&context, (&username, &password), device.as_ref(), (&cookie, delivery)).await;
    outcome.map_err(|problem| match problem.status {
        StatusCode::UNAUTHORIZED => problem.challenge(&challenge),
        _ => problem,
    })
}

pub static TOKEN: Operation = Operation::new(
    "Token endpoint",
    "RFC 6749: `grant_type=password` or `refresh_token`. A refresh token is exchanged at every \
     use; within 60 s the same successor is given once more, later a fresh one, as long as the \
     successor is unused. A used one presented again ends the session. A refresh token that comes in the cookie \
     `__Host-refresh-{realm}` is answered by the cookie only; with a token in the body too the answer is 400. A \
     service client may authenticate itself by HTTP Basic or in the form; then it is the `client_id` of the access token.",
    &[ok(200, "Logged in.", "TokenPair")],
)
.body(&[FORM], "TokenRequest")
.errors(&[
    Code::InvalidCredentials,
    Code::EmailNotVerified,
    Code::MfaRequired,
    Code::MfaEnrolmentRequired,
    Code::Overloaded,
    Code::InvalidGrant,
    Code::InvalidClient,
    Code::UnsupportedGrantType,
    Code::Forbidden,
])
.strict_oauth();

/// `POST /token` (RFC 6749): `password` and `refresh_token`.
pub async fn token(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Form)?;
    let oauth_client = token_client(&context.app, &context.realm, &input.headers, &mut fields).await?;
    let context = RealmContext { client: context.client.with_oauth_client(oauth_client), ..context };
    let delivery = cookie.take_delivery(&mut fields)?;
    let outcome = match fields.text("grant_type").as_deref() {
        Some("password") => {
            let (username, password) =
                (required(fields.text("username"), "username")?, required(fields.secret("password"), "password")?);
            spend_login_limit(&context).await?;
            password_grant(&context, (&username, &password), None, (&cookie, delivery)).await
        }
        Some("refresh_token") => {
            let (refresh_token, delivery) = presented_token(&mut fields, &cookie, delivery)?;
            let (sessions, client) = (context.service().sessions(), context.client.oauth_client.as_deref());
            let pair = sessions.refresh_for(&context.realm, refresh_token.expose(), client).await?;
            Ok(cookie.respond(delivery, &pair))
        }
        Some(_) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, Code::UnsupportedGrantType).oauth("unsupported_grant_type"))
        }
        None => Err(Problem::malformed("grant_type is missing")),
    };
    outcome.map_err(|problem| match problem.code {
        Code::InvalidCredentials | Code::EmailNotVerified | Code::MfaRequired | Code::MfaEnrolmentRequired => {
            Problem { status: StatusCode::BAD_REQUEST, ..problem }
        }
        _ => problem,
    })
}

async fn password_grant(
    context: &RealmContext,
    (username, password): (&str, &SecretString),
    device: Option<&SecretString>,
    (cookie, delivery): (&RefreshCookie, TokenDelivery),
) -> HandlerResult {
    let (credentials, device) = ((username, password.expose()), device.map(SecretString::expose));
    match context.service().logins().log_in_from(&context.realm, credentials, device, &context.client).await? {
        LoggedIn::Session(pair) => Ok(cookie.respond(delivery, &pair)),
        LoggedIn::MfaRequired(challenge) => Err(mfa_required(context, &challenge)),
        LoggedIn::EnrolmentRequired(challenge) => Err(enrolment_required(&challenge)),
    }
}

/// Otherwise `/token` would allow twelve times as many guesses as `/login`.
async fn spend_login_limit(context: &RealmContext) -> Result<(), Problem> {
    let who = context.service().address_digest(&context.realm, &context.client.address);
    let taken = RateLimit::take(&context.app, &context.realm, "login", who).await?;
    match taken.filter(|limit| !limit.decision.allowed) {
        Some(limit) => Err(too_many(limit.decision.retry_after)),
        None => Ok(()),
    }
}

/// The refresh token of the body or of the cookie. A token of the cookie is answered by the cookie only: a script must not
/// get it by asking for the body.
fn presented_token(
    fields: &mut FormFields,
    cookie: &RefreshCookie,
    delivery: TokenDelivery,
) -> Result<(SecretString, TokenDelivery), Problem> {
    match (fields.secret("refresh_token"), cookie.token()) {
        (Some(_), Some(_)) => {
            Err(Problem::malformed("a refresh token comes in the body or in the cookie, not in both"))
        }
        (Some(token), None) => Ok((token, delivery)),
        (None, Some(token)) => Ok((token.clone(), TokenDelivery::Cookie)),
        (None, None) if cookie.is_ignored() => {
            Err(Problem::malformed(format!("refresh_token is missing, and {}", refresh_cookie::CONDITIONS)))
        }
        (None, None) => Err(Problem::malformed("refresh_token is missing")),
    }
}

fn required<T>(field: Option<T>, name: &'static str) -> Result<T, Problem> {
    field.ok_or_else(|| Problem::malformed(format!("{name} is missing")))
}
