//! A sample of every template: what it is rendered with when an operator's folder is checked, and in tests. These are
//! the variables each template can use.

use serde_json::{Value, json};

/// The kind of output that a template renders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `emails/<name>/subject.txt`, `body.txt` and `body.html`.
    Email,
    /// `texts/<name>.txt`, for a short message or a call.
    Text,
    /// `pages/<name>`.
    Page,
}

/// A template with everything it needs.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which render method takes it.
    pub kind: Kind,
    /// The name that method takes.
    pub name: &'static str,
    /// The variables.
    pub context: Value,
}

/// A sample or more of every template.
#[must_use]
pub fn samples() -> Vec<Sample> {
    let of = |kind| move |(name, context)| Sample { kind, name, context: with_app_name(context) };
    let emails = emails().into_iter().map(of(Kind::Email));
    let texts = texts().into_iter().map(of(Kind::Text));
    let pages = pages().into_iter().chain(api_pages()).map(of(Kind::Page));
    emails.chain(texts).chain(pages).collect()
}

fn with_app_name(mut context: Value) -> Value {
    if let Some(members) = context.as_object_mut() {
        members.insert("app_name".to_owned(), json!("Portcullis"));
    }
    context
}

fn emails() -> Vec<(&'static str, Value)> {
    let name = "O'Brien";
    let at = "2026-11-24 03:00 UTC";
    let link = |path: &str| format!("https://auth.example.com/User1/{path}?token=Zm9vYmFy");
    vec![
        ("mail_email_verify", json!({"link": link("verify"), "code": "7KQ2MX", "expires_in": "24 hours"})),
        ("registration", json!({"first_name": name})),
        ("already_registered", json!({"first_name": name})),
        (
            "mail_password_reset",
            json!({"first_name": name, "link": link("reset_password_form"), "expires_in": "30 minutes", "factors": factors()}),
        ),
        (
            "mail_password_reset",
            json!({"first_name": name, "link": link("reset_password_form"), "expires_in": "30 minutes", "factors": []}),
        ),
        (
            "reset_required",
            json!({"first_name": name, "link": link("reset_password_form"), "expires_in": "30 minutes"}),
        ),
        ("invitation", json!({"first_name": name, "link": link("reset_password_form"), "expires_in": "24 hours"})),
        ("operator_acted", json!({"first_name": name, "at": at, "action": "sessions_ended"})),
        ("operator_acted", json!({"first_name": name, "at": at, "action": "data_exported"})),
        ("password_changed", undoable(json!({"first_name": name, "at": at, "how": "reset"}))),
        ("password_changed", json!({"first_name": name, "at": at, "how": "changed", "undo": null})),
        ("email_change_confirm", json!({"link": link("verify"), "expires_in": "24 hours"})),
        ("account_deleted", json!({"at": at})),
        ("data_exported", json!({"first_name": name, "at": at})),
        ("session_ended", json!({"first_name": name, "at": at})),
        ("device_remembered", json!({"first_name": name, "at": at})),
        ("factors_throttled", json!({"first_name": name, "at": at})),
        ("email_change_requested", json!({"first_name": name, "at": at})),
        ("email_changed", undoable(json!({"first_name": name, "at": at}))),
        ("email_changed", json!({"first_name": name, "at": at, "undo": null})),
        ("phone_changed", undoable(json!({"first_name": name, "at": at}))),
        ("phone_changed", json!({"first_name": name, "at": at, "undo": null})),
        ("mfa_changed", undoable(json!({"first_name": name, "at": at, "factor": "sms", "enabled": true}))),
        ("mfa_changed", undoable(json!({"first_name": name, "at": at, "factor": "totp", "enabled": true}))),
        ("mfa_changed", json!({"first_name": name, "at": at, "factor": "backup_code", "enabled": true, "undo": null})),
        ("mfa_changed", json!({"first_name": name, "at": at, "factor": "totp", "enabled": false, "undo": null})),
        ("mfa_changed", undoable(json!({"first_name": name, "at": at, "factor": "passkey", "enabled": true}))),
        ("mfa_changed", json!({"first_name": name, "at": at, "factor": "passkey", "enabled": false, "undo": null})),
        ("factors_reset", undoable(json!({"first_name": name, "at": at}))),
        ("factors_reset", json!({"first_name": name, "at": at, "undo": null})),
        ("enrolment_code", json!({"first_name": name, "code": "ACD3FG", "expires_in": "10 minutes"})),
        ("backup_code_used", json!({"first_name": name, "at": at, "left": 9})),
        ("backup_code_used", json!({"first_name": name, "at": at, "left": 1})),
    ]
}

/// One of each kind.
fn factors() -> Value {
    let at = "2026-11-24 03:00 UTC";
    json!([
        {"kind": "passkey", "name": "O'Brien's phone", "since": at, "last_used_at": at},
        {"kind": "totp", "name": null, "since": at, "last_used_at": null},
        {"kind": "sms", "name": null, "since": null, "last_used_at": null},
        {"kind": "backup_code", "name": null, "since": at, "last_used_at": null},
        {"kind": "device", "name": "Browser/1.0", "since": at, "last_used_at": null},
    ])
}

/// A notice with an undo link.
fn undoable(mut context: Value) -> Value {
    if let Some(members) = context.as_object_mut() {
        members.insert("undo".to_owned(), json!("7 days"));
        members.insert("link".to_owned(), json!("https://auth.example.com/User1/undo?token=Zm9vYmFy"));
    }
    context
}

fn texts() -> Vec<(&'static str, Value)> {
    let names = ["otp", "otp_voice", "mfa_otp", "mfa_otp_voice"];
    names.map(|name| (name, json!({"code": "042137", "expires_in": "5 minutes", "domain": "auth.example.com"}))).into()
}

fn pages() -> Vec<(&'static str, Value)> {
    let button = json!({
        "first_name": "O'Brien",
        "at": "2026-11-24 03:00 UTC",
        "action": "/User1/verify",
        "token": "Zm9vYmFy",
        "needs_password": true,
    });
    let form = |errors: Value| {
        let action = "/User1/reset_password";
        json!({"action": action, "token": "Zm9vYmFy", "min_length": 8, "min_score": 3, "errors": errors})
    };
    let with_factors = |mut form: Value| {
        if let Some(members) = form.as_object_mut() {
            members.insert("factors".to_owned(), factors());
        }
        form
    };
    let undo = |change: &str, wrong: bool| {
        let (action, at) = ("/User1/undo", "2026-11-24 03:00 UTC");
        json!({"action": action, "token": "Zm9vYmFy", "change": change, "at": at, "wrong": wrong, "by_sms": wrong})
    };
    let mut code = undo("phone", true);
    if let Some(members) = code.as_object_mut() {
        members.insert("challenge".to_owned(), json!("Zm9v"));
    }
    vec![
        ("verify_button.html", button.clone()),
        ("email_change_button.html", button),
        ("email_verified.html", json!({})),
        ("email_verified_failed.html", json!({})),
        ("registration_rejected.html", json!({})),
        ("reset.html", form(json!([]))),
        ("reset.html", with_factors(form(json!([])))),
        ("reset.html", form(json!([{"message": "The password is too easy to guess"}]))),
        ("reset_success.html", json!({})),
        ("undo.html", undo("email", false)),
        ("undo.html", undo("factors", true)),
        ("undo.html", code),
        ("undo_restored.html", json!({})),
        ("undo_disabled.html", json!({})),
        ("undo_failed.html", json!({})),
        ("reset_failed.html", json!({})),
    ]
}

fn api_pages() -> Vec<(&'static str, Value)> {
    let problem = json!({"code": "not_found", "title": "There is nothing here", "status": 404});
    let told = json!({
        "code": "invalid_token",
        "title": "The link or code is not valid, was used, or has expired",
        "status": [400, 401],
        "description": "Ask for a new one.",
    });
    let email = json!({
        "channel": "email",
        "to": "o'brien@example.com",
        "template": "mail_password_reset",
        "subject": "Reset your password",
        "text": "Hello O'Brien,\n\nhttps://auth.example.com/User1/reset_password_form?token=Zm9vYmFy\n",
        "html": "<!DOCTYPE html><html><head><style>p{margin:0}</style></head><body><p>Hello</p></body></html>",
        "links": ["https://auth.example.com/User1/reset_password_form?token=Zm9vYmFy"],
        "code": null,
        "at": "2026-11-24T03:00:00.000Z",
    });
    let text = json!({
        "channel": "sms",
        "to": "+1234567890",
        "template": "otp",
        "subject": null,
        "text": "042137 is your code.",
        "html": null,
        "links": [],
        "code": "042137",
        "at": "2026-11-24T02:59:00.000Z",
    });
    let error = |detail: Value, messages: Value| {
        let title = "Some fields are not acceptable";
        json!({"title": title, "detail": detail, "messages": messages, "status": 422, "code": "validation_failed", "request_id": "0123456789abcdef0123456789abcdef"})
    };
    let start = |description: Value, links: Value| json!({"name": "Portcullis", "version": "0.1.0", "description": description, "links": links});
    vec![
        ("change_password.html", json!({})),
        ("error.html", error(Value::Null, json!([]))),
        ("error.html", error(json!("The token is missing."), json!(["token: The field is missing"]))),
        ("start.html", start(Value::Null, json!([]))),
        ("start.html", start(json!("Authentication."), json!([{"href": "/docs", "title": "Swagger UI"}]))),
        ("problem.html", problem.clone()),
        ("problem.html", told.clone()),
        ("problems.html", json!({"problems": [problem, told]})),
        ("mailbox.html", json!({"messages": []})),
        ("mailbox.html", json!({"messages": [email, text]})),
    ]
}
