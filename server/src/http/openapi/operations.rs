//! What each operation takes and gives, by the id of its row.

use portcullis_core::model::code::Code;

use crate::http::openapi::usual_status;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request body.
pub struct Body {
    /// Its media types.
    pub media: &'static [&'static str],
    /// The name of its schema.
    pub schema: &'static str,
    /// Whether there must be one.
    pub required: bool,
}

/// A good answer.
pub struct Outcome {
    /// Its status.
    pub status: u16,
    /// In a sentence.
    pub about: &'static str,
    /// Its media type; `None` for no body.
    pub media: Option<&'static str>,
    /// The name of its schema; a string where there is none.
    pub schema: Option<&'static str>,
    /// `Accept: text/html` gets a page instead.
    pub page_too: bool,
    /// It carries an `ETag`.
    pub etag: bool,
}

/// An operation in words and schemas.
pub struct Described {
    /// A line.
    pub summary: &'static str,
    /// What there is to know.
    pub description: &'static str,
    /// Parameters of the path: name and meaning.
    pub path: &'static [(&'static str, &'static str)],
    /// Parameters of the query: name, required, meaning.
    pub query: &'static [(&'static str, bool, &'static str)],
    /// The query counts on GET; POST has a body for the same.
    pub query_on_get_only: bool,
    /// Headers: name and meaning.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: Option<Body>,
    /// Good answers.
    pub outcomes: Vec<Outcome>,
    /// Codes of its own.
    pub errors: &'static [Code],
    /// Failures are pages for browsers.
    pub failure_pages: bool,
    /// RFC 6749 makes 400 of what is 401 or 403 elsewhere.
    pub strict_oauth: bool,
}

impl Described {
    fn new(summary: &'static str, description: &'static str, outcomes: Vec<Outcome>) -> Self {
        Self {
            summary,
            description,
            path: &[],
            query: &[],
            query_on_get_only: false,
            headers: &[],
            body: None,
            outcomes,
            errors: &[],
            failure_pages: false,
            strict_oauth: false,
        }
    }

    fn errors(self, errors: &'static [Code]) -> Self {
        Self { errors, ..self }
    }

    fn body(self, media: &'static [&'static str], schema: &'static str) -> Self {
        Self { body: Some(Body { media, schema, required: true }), ..self }
    }

    fn optional_body(self, media: &'static [&'static str], schema: &'static str) -> Self {
        Self { body: Some(Body { media, schema, required: false }), ..self }
    }

    fn query(self, query: &'static [(&'static str, bool, &'static str)]) -> Self {
        Self { query, ..self }
    }

    fn on_get_only(self) -> Self {
        Self { query_on_get_only: true, ..self }
    }

    fn path(self, path: &'static [(&'static str, &'static str)]) -> Self {
        Self { path, ..self }
    }

    fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    fn failure_pages(self) -> Self {
        Self { failure_pages: true, ..self }
    }

    fn strict_oauth(self) -> Self {
        Self { strict_oauth: true, ..self }
    }

    /// The status of a code at this operation.
    pub fn status_of(&self, code: Code) -> u16 {
        match code {
            Code::InvalidCredentials | Code::EmailNotVerified if self.strict_oauth => 400,
            _ => usual_status(code).as_u16(),
        }
    }
}

const fn ok(status: u16, about: &'static str, schema: &'static str) -> Outcome {
    Outcome { status, about, media: Some(JSON), schema: Some(schema), page_too: false, etag: false }
}

const fn page_or(status: u16, about: &'static str, schema: &'static str) -> Outcome {
    Outcome { page_too: true, ..ok(status, about, schema) }
}

const fn text(status: u16, about: &'static str, media: &'static str) -> Outcome {
    Outcome { status, about, media: Some(media), schema: None, page_too: false, etag: false }
}

const TOKEN: (&str, bool, &str) = ("token", true, "The token of the link, 43 characters.");
fn tokens() -> Vec<Outcome> {
    vec![ok(200, "Logged in.", "TokenPair")]
}

/// The description of an operation. An id that is not here is described as itself, which a test refuses.
#[rustfmt::skip]
pub fn describe(id: &str) -> Described {
    match id {
        "create" => Described::new("Register", "Makes a pending registration and mails its link and code. The answer is the same whether or not the address has an account.",
            vec![ok(201, "A registration waits for its link, or the owner of the address was told.", "Created")]).body(&[JSON], "Registration").errors(&[Code::EmailTaken, Code::Overloaded]),
        "verify_page" => Described::new("Look at a verification link", "A page with one button: mail scanners open links, so this changes nothing. Only `Accept: application/json` alone verifies at once.",
            vec![page_or(200, "The page, or for JSON alone the verification.", "Verified")]).query(&[TOKEN]).errors(&[Code::InvalidToken]).failure_pages(),
        "verify" => Described::new("Verify an address", "By the token of the link, or by the address and the six characters of the same mail. Five wrong tries kill the code, not the link. `reject=true` with the token throws the registration away. Also makes a changed address count.",
            vec![page_or(200, "The account exists.", "Verified")]).body(&[JSON, FORM], "Verification").errors(&[Code::InvalidToken]).failure_pages(),
        "resend_verification" => Described::new("Send the verification mail again", "For each registration that waits for the address. The same answer for every address.",
            vec![ok(202, "Asked for.", "Message")]).body(&[JSON], "Address"),
        "login" => Described::new("Log in", "The password form of OAuth 2.0.", tokens()).body(&[FORM], "Login").errors(&[Code::InvalidCredentials, Code::EmailNotVerified, Code::MfaRequired, Code::Overloaded, Code::UnsupportedGrantType]),
        "token" => Described::new("Token endpoint", "RFC 6749: `grant_type=password` or `refresh_token`. A refresh token is exchanged at every use; within 60 s the same successor is given once more, later a fresh one, as long as the successor is unused. A used one presented again ends the session.",
            tokens()).body(&[FORM], "TokenRequest").errors(&[Code::InvalidCredentials, Code::EmailNotVerified, Code::MfaRequired, Code::Overloaded, Code::InvalidGrant, Code::UnsupportedGrantType]).strict_oauth(),
        "login_mfa" => Described::new("Show the second factor", "Answers the challenge of a login with the code that was texted.", tokens()).body(&[JSON, FORM], "SecondFactor").errors(&[Code::InvalidToken]),
        "otp_phone" => Described::new("Send a code to the phone on record", "Only ever to the number on record of that user. The same answer for every id and number.",
            vec![ok(202, "A challenge; its code was sent if the number is the one on record.", "Challenge")]).query(&[("id", false, "The user's id; or in the body."), ("phone", false, "The number on record; or in the body."), ("channel", false, "`sms` (default) or `voice`; or in the body.")]).optional_body(&[JSON], "OtpRequest"),
        "verify_otp_phone" => Described::new("Prove the phone", "Answers a challenge with the six digits that were sent. Five wrong tries kill it.",
            vec![ok(200, "The phone on record is verified.", "Message")]).query(&[("token", true, "The challenge."), ("otp", true, "Six digits.")]).on_get_only().body(&[JSON], "OtpAnswer").errors(&[Code::InvalidToken]),
        "forget_password" => Described::new("Ask for a reset link", "The same answer for every address.",
            vec![ok(202, "Asked for.", "Message")]).query(&[("email", true, "The address.")]).on_get_only().body(&[JSON], "Address"),
        "reset_password_form" => Described::new("Look at a reset link", "A page with a form. Consumes nothing.",
            vec![text(200, "The page.", "text/html")]).query(&[TOKEN]).errors(&[Code::InvalidToken]).failure_pages(),
        "reset_password" => Described::new("Set a new password by a reset link", "Ends every session of the user. A password that is not acceptable leaves the link good.",
            vec![page_or(200, "The password is changed.", "Message")]).query(&[("token", false, "The token of the link; or in the body.")]).body(&[FORM, JSON], "PasswordReset").errors(&[Code::InvalidToken, Code::Overloaded]).failure_pages(),
        "profile" => Described::new("Your profile", "The caller's own data. `id`, where given, must be the caller's.",
            vec![Outcome { etag: true, ..ok(200, "The profile.", "Profile") }, Outcome { status: 304, about: "The version of `If-None-Match`.", media: None, schema: None, page_too: false, etag: true }])
            .query(&[("id", false, "Must be the caller's own.")]).headers(&[("If-None-Match", "An `ETag` the client has.")]).errors(&[Code::Forbidden]),
        "update" => Described::new("Change your profile", "Members that are left out stay as they are. A new e-mail counts once its link is followed; a new phone is unverified.",
            vec![Outcome { etag: true, ..ok(200, "The changed profile.", "Profile") }]).headers(&[("If-Match", "The `ETag` the change is meant for.")]).body(&[JSON], "ProfileChanges").errors(&[Code::PreconditionFailed, Code::MfaInUse]),
        "change_password" => Described::new("Change your password", "Ends every other session of the caller.",
            vec![ok(200, "Changed.", "Message")]).body(&[JSON], "PasswordChange").errors(&[Code::WrongPassword, Code::Overloaded]),
        "logout" => Described::new("Log out", "This session's access and refresh tokens are dead at once.", vec![ok(200, "Logged out.", "Message")]),
        "logout_all" => Described::new("Log out everywhere", "All of the caller's sessions end at once.", vec![ok(200, "Logged out.", "Message")]),
        "sessions" => Described::new("Where you are logged in", "Oldest first.", vec![ok(200, "The sessions.", "Sessions")]),
        "end_session" => Described::new("End one of your sessions", "Its tokens are dead at once.", vec![ok(200, "Ended.", "Message")]).path(&[("id", "The session's id.")]).errors(&[Code::NotFound]),
        "mfa" => Described::new("Your second factors", "Which are on.", vec![ok(200, "The factors.", "Factors")]),
        "set_mfa" => Described::new("Switch a second factor", "On needs a verified phone. Off needs the password, or `token` and `otp` of a challenge to the phone.",
            vec![ok(200, "The factors.", "Factors")]).body(&[JSON], "FactorChange").errors(&[Code::PhoneNotVerified, Code::ReauthenticationRequired, Code::WrongPassword, Code::InvalidToken, Code::Overloaded]),
        "export" => Described::new("Everything stored about you", "GDPR articles 15 and 20.", vec![ok(200, "Everything.", "Export")]),
        "delete" => Described::new("Delete your account", "Needs a login of the last 15 minutes, or the password. Afterwards nothing of the person is left that can be turned back into them.",
            vec![ok(200, "Deleted.", "Message")]).optional_body(&[JSON, FORM], "Deletion").errors(&[Code::ReauthenticationRequired, Code::WrongPassword, Code::Overloaded]),
        "introspect" => Described::new("What a token is", "RFC 7662. An inactive token is exactly `{\"active\":false}`.", vec![ok(200, "What it is.", "Introspection")]).body(&[FORM], "TokenForm"),
        "revoke" => Described::new("Take a token back", "RFC 7009. Ends the token's session; an unknown token is no error.", vec![ok(200, "It is dead.", "Empty")]).body(&[FORM], "TokenForm"),
        "health" => Described::new("Health", "A lost cache, mail or text server is `degraded` and 200; a lost database is 503.",
            vec![ok(200, "It serves.", "Health"), ok(503, "It does not.", "Health")]),
        "health_detailed" => Described::new("Health, for operators", "The same with versions, latencies, queue depth, key ids and migration state.",
            vec![ok(200, "It serves.", "DetailedHealth"), ok(503, "It does not.", "DetailedHealth")]),
        "livez" => Described::new("Alive", "The process answers.", vec![text(200, "It does.", "text/plain")]),
        "readyz" => Described::new("Ready", "The process can serve.", vec![text(200, "It can.", "text/plain"), text(503, "The database is away.", "text/plain")]),
        "metrics" => Described::new("Metrics", "Prometheus text.", vec![text(200, "The metrics.", "text/plain")]),
        "jwks" => Described::new("Public keys", "RFC 7517, where `SIGNING=EdDSA`.", vec![Outcome { media: Some("application/jwk-set+json"), ..ok(200, "The keys.", "JwkSet") }]).errors(&[Code::NotFound]),
        "openapi" => Described::new("This document", "OpenAPI 3.1.", vec![ok(200, "The document.", "Any")]),
        "docs" => Described::new("Swagger UI", "A viewer of this document.", vec![text(200, "The page.", "text/html")]),
        "redoc" => Described::new("ReDoc", "A viewer of this document.", vec![text(200, "The page.", "text/html")]),
        "scalar" => Described::new("Scalar", "A viewer of this document.", vec![text(200, "The page.", "text/html")]),
        "problems" => Described::new("All error codes", "One list for server and browser.", vec![text(200, "The page.", "text/html")]),
        "problem" => Described::new("An error code", "What a problem's `type` leads to.", vec![text(200, "The page.", "text/html")]).path(&[("code", "The code.")]).errors(&[Code::NotFound]),
        "asset" => Described::new("A static file", "Of the pages and viewers.", vec![text(200, "The file.", "application/octet-stream")]).path(&[("file", "Its name.")]).errors(&[Code::NotFound]),
        _ => describe_development(id),
    }
}

/// Of the endpoints that exist in development only.
#[rustfmt::skip]
fn describe_development(id: &str) -> Described {
    match id {
        "mailbox" => Described::new("The development mailbox", "Every message that was sent, newest first. Not there in production.", vec![page_or(200, "The messages.", "Mailbox")]),
        "demo" => Described::new("The demo's door", "Leads to `/demo/`, below which its files are. Not there in production.", vec![Outcome { media: None, ..text(308, "The demo is at `/demo/`.", "text/html") }]),
        "demo_page" => Described::new("The demo", "Every story of this document in one page. Not there in production.", vec![text(200, "The page.", "text/html")]),
        "demo_file" => Described::new("A file of the demo", "Its modules, its stylesheet, its settings. Not there in production.", vec![text(200, "The file.", "application/octet-stream")]).path(&[("file", "Its name.")]).errors(&[Code::NotFound]),
        id => test_control(id).unwrap_or_else(|| Described::new("", "", Vec::new())),
    }
}

/// The control plane of `portcullis testkit`. No other server has it, nor its description.
#[cfg(not(feature = "testkit"))]
const fn test_control(_id: &str) -> Option<Described> {
    None
}

/// The control plane of `portcullis testkit`.
#[cfg(feature = "testkit")]
#[rustfmt::skip]
fn test_control(id: &str) -> Option<Described> {
    let done = |about| Outcome { status: 204, about, media: None, schema: None, page_too: false, etag: false };
    Some(match id {
        "test_clock" => Described::new("The server's clock", "It stands still until it is moved.", vec![ok(200, "The time.", "TestClock")]),
        "test_advance" => Described::new(
            "Let time pass",
            "Forward only, and not beyond the year 9998. Whatever is due then is done before the answer.",
            vec![ok(200, "The time now.", "TestClock")],
        )
        .body(&[JSON], "TestAdvance"),
        "test_outbox" => Described::new(
            "Messages",
            "As `/dev/mailbox` has them, newest first, once all work that is due is done.",
            vec![ok(200, "The messages.", "Mailbox")],
        )
        .query(&[
            ("to", false, "Only to this address or number."),
            ("template", false, "Only of this template."),
            ("wait", false, "Milliseconds to wait for the first that fits; half a minute at most."),
        ]),
        "test_empty_outbox" => Described::new("Forget the messages", "Those too that are due.", vec![done("Forgotten.")]),
        "test_faults" => Described::new(
            "What breaks",
            "Replaces what was broken before; an empty list mends everything. Looking for work is no call.",
            vec![done("From now on.")],
        )
        .body(&[JSON], "TestFaults"),
        "test_limits" => Described::new("Forget the limits", "Rate limits and counts of failed logins begin anew.", vec![done("Forgotten.")]),
        "test_snapshot" => Described::new("Put everything aside", "Accounts, sessions, tokens, jobs, messages and limits.", vec![ok(201, "Its name.", "TestSnapshot")]),
        "test_restore" => Described::new(
            "Take it back",
            "`empty` is the server as it began. Time does not run backwards.",
            vec![done("As it was.")],
        )
        .body(&[JSON], "TestSnapshot")
        .errors(&[Code::NotFound]),
        "test_seed" => Described::new("Seed chance", "From here on ids, tokens and codes come in the order of this seed, for a client that asks one thing at a time. A seed that was used before brings the same ids again: restore before it.", vec![done("Seeded.")]).body(&[JSON], "TestSeed"),
        "test_disabled" => Described::new("Disable or enable an account", "What `portcullis users disable` and `users enable` do.", vec![done("It is so.")]).body(&[JSON], "TestDisabled").errors(&[Code::NotFound]),
        _ => return None,
    })
}
