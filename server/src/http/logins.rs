//! Login: the password form, OAuth 2.0's token endpoint, and the second factor.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::login::step_up::{StepUpFactor, SteppedUp};
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use portcullis_core::use_cases::shared::otp::FactorChallenge;
use serde_json::{Value, json};

use crate::http::auth::{Authenticated, token_client};
use crate::http::endpoint::HandlerResult;
use crate::http::error::too_many;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::form_fields::FormFields;
use crate::http::openapi::operation::{FORM, JSON, Operation, ok};
use crate::http::openapi::schemas;
use crate::http::problem::Problem;
use crate::http::rate_limit::RateLimit;
use crate::http::refresh_cookie::{self, RefreshCookie, TokenDelivery};
use crate::http::response::json;

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Login": schemas::form(&["username", "password"], json!({
            "username": schemas::username(), "password": schemas::known_password("The password."), "grant_type": schemas::only("password"),
            "scope": schemas::text("Accepted, without effect."), "client_id": schemas::text("Accepted, without effect."), "token_delivery": delivery_schema(),
        })),
        "TokenRequest": token_request(),
        "SecondFactor": schemas::object(&["mfa_token"], json!({
            "mfa_token": schemas::token("The challenge of the login."), "method": method_schema(), "otp": factor_code_schema(), "token_delivery": delivery_schema(),
        })),
        "StepUp": schemas::object(&["password"], json!({
            "password": schemas::known_password("The password."), "mfa_token": schemas::token("The challenge of the first answer. A code by SMS needs it."),
            "method": method_schema(), "otp": factor_code_schema(),
        })),
        "CodeSent": schemas::object(&["message", "expires_in"], json!({
            "message": schemas::text("For people."), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "AccessToken": schemas::object(&["access_token", "token_type", "expires_in"], json!({
            "access_token": schemas::text("A JWT (RFC 9068) whose `auth_time` is now."), "token_type": schemas::only("bearer"), "expires_in": {"type": "integer", "description": "Seconds."},
        })),
        "TokenPair": schemas::object(&["access_token", "token_type", "expires_in"], json!({
            "access_token": schemas::text("A JWT (RFC 9068)."), "token_type": schemas::only("bearer"),
            "expires_in": {"type": "integer", "description": "Seconds."}, "refresh_token": schemas::text("Opaque; good for one exchange. In cookie mode it is in the cookie instead."),
        })),
    })
}

fn delivery_schema() -> Value {
    json!({"type": "string", "enum": ["body", "cookie"], "description": "`body` where it is missing. `cookie`: the refresh token comes in the cookie `__Host-refresh-{realm}`. For pages of `PUBLIC_URL` and `CORS_ORIGINS` that send `X-Requested-With`."})
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

fn method_schema() -> Value {
    json!({"type": "string", "enum": FactorMethod::ALL.map(FactorMethod::as_str), "description": "By default the form of the code decides; six digits are of the authenticator app where one is on, else of the SMS."})
}

fn factor_code_schema() -> Value {
    schemas::text("Six digits, or the ten characters of a backup code.")
}

pub static LOGIN: Operation =
    Operation::new("Log in", "The password form of OAuth 2.0.", &[ok(200, "Logged in.", "TokenPair")])
        .body(&[FORM], "Login")
        .errors(&[
            Code::InvalidCredentials,
            Code::EmailNotVerified,
            Code::MfaRequired,
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
    fields.finish_ignoring_unknown()?;
    let challenge = format!("Bearer realm=\"{}\"", context.realm);
    let outcome = password_grant(&context, &username, password.expose(), (&cookie, delivery)).await;
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
            password_grant(&context, &username, password.expose(), (&cookie, delivery)).await
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
        Code::InvalidCredentials | Code::EmailNotVerified | Code::MfaRequired => {
            Problem { status: StatusCode::BAD_REQUEST, ..problem }
        }
        _ => problem,
    })
}

pub static LOGIN_MFA: Operation = Operation::new(
    "Complete a login with a second factor",
    "Answers the challenge of a login. With `method=sms` and without `otp`, a code is sent for it.",
    &[ok(200, "Logged in.", "TokenPair"), ok(202, "The code is on its way.", "CodeSent")],
)
.body(&[JSON, FORM], "SecondFactor")
.errors(&[Code::InvalidToken, Code::Forbidden]);

pub async fn login_mfa(context: RealmContext, cookie: RefreshCookie, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::JsonOrForm)?;
    let delivery = cookie.take_delivery(&mut fields)?;
    let (mfa_token, method) = (fields.required_secret("mfa_token"), factor_method(&mut fields));
    let wants_sms = method == Some(FactorMethod::Sms) && !fields.has("otp");
    let otp = if wants_sms { None } else { Some(fields.required_secret("otp")) };
    fields.finish()?;
    let (realm, logins) = (&context.realm, context.service().logins());
    let Some(otp) = otp else {
        logins.send_login_code(realm, mfa_token.expose()).await?;
        let expires_in = context.service().policy.lifetimes.otp.as_secs();
        let body = json!({"message": "OTP generated successfully", "expires_in": expires_in});
        return Ok(json(StatusCode::ACCEPTED, &body));
    };
    let pair = logins.log_in_second_factor(realm, mfa_token.expose(), method, otp.expose(), &context.client).await?;
    Ok(cookie.respond(delivery, &pair))
}

/// The field `method`.
fn factor_method(fields: &mut FormFields) -> Option<FactorMethod> {
    let text = fields.text("method")?;
    let method = FactorMethod::parse(&text);
    if method.is_none() {
        let message = format!("must be one of {}", FactorMethod::ALL.map(FactorMethod::as_str).join(", "));
        fields.refuse(Violation::with_message("method", Code::ValueInvalid, message));
    }
    method
}

pub static STEP_UP: Operation = Operation::new(
    "Authenticate once more",
    "For what needs recent authentication (RFC 9470). Where a second factor is on and `otp` is missing, the answer is \
     `mfa_required`, and a code is sent where SMS is the factor, or `method` is `sms`; repeat the call with the code, and \
     for SMS with the `mfa_token`. The refresh token stays as it is.",
    &[ok(200, "A new access token.", "AccessToken")],
)
.body(&[JSON], "StepUp")
.example(r#"{"password":"harbour-tulip-42-Window"}"#)
.errors(&[Code::WrongPassword, Code::MfaRequired, Code::InvalidToken, Code::Overloaded]);

pub async fn step_up(context: RealmContext, Authenticated(caller): Authenticated, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::Json)?;
    let (password, method) = (fields.required_secret("password"), factor_method(&mut fields));
    let (challenge, otp) = (fields.secret("mfa_token"), fields.secret("otp"));
    let by_sms = |otp: &SecretString| match method {
        Some(method) => method == FactorMethod::Sms,
        None => caller.user.factors.totp.is_none() && TypedCode::parse_backup(otp.expose()).is_none(),
    };
    for (missing, name) in [
        (challenge.is_none() && otp.as_ref().is_some_and(by_sms), "mfa_token"),
        (challenge.is_some() && otp.is_none(), "otp"),
    ] {
        if missing {
            fields.refuse(Violation::new(name, Code::Required));
        }
    }
    fields.finish()?;
    let challenge = challenge.as_ref().map(SecretString::expose);
    let factor = match &otp {
        Some(otp) => StepUpFactor::Answer(FactorAnswer { method, challenge, otp: otp.expose() }),
        None => StepUpFactor::Ask { sms: method == Some(FactorMethod::Sms) },
    };
    match context.service().logins().step_up(&caller, password.expose(), factor, &context.client).await? {
        SteppedUp::Token(token) => {
            let expires_in = context.service().policy.lifetimes.access.as_secs();
            let body = json!({"access_token": token.expose(), "token_type": "bearer", "expires_in": expires_in});
            Ok(json(StatusCode::OK, &body))
        }
        SteppedUp::MfaRequired(challenge) => Err(mfa_required(&context, &challenge)),
    }
}

/// A challenge of a second factor.
pub fn mfa_required(context: &RealmContext, challenge: &FactorChallenge) -> Problem {
    let methods: Vec<&str> = challenge.methods.iter().map(|method| method.as_str()).collect();
    Problem::new(StatusCode::FORBIDDEN, Code::MfaRequired)
        .oauth("mfa_required")
        .member("mfa_token", challenge.token.expose())
        .member("methods", methods)
        .member("expires_in", context.service().policy.lifetimes.otp.as_secs())
}

async fn password_grant(
    context: &RealmContext,
    username: &str,
    password: &str,
    (cookie, delivery): (&RefreshCookie, TokenDelivery),
) -> HandlerResult {
    match context.service().logins().log_in(&context.realm, username, password, &context.client).await? {
        LoggedIn::Session(pair) => Ok(cookie.respond(delivery, &pair)),
        LoggedIn::MfaRequired(challenge) => Err(mfa_required(context, &challenge)),
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
