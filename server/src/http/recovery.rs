//! The undo link of a notice: its page, and the restoring or the locking of the account.

use http::StatusCode;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::secret::SecretString;
use portcullis_core::use_cases::recovery::undo::{UndoPreview, UndoProof, Undone};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::factors::FactorAnswer;
use serde_json::{Value, json};

use crate::http::endpoint::HandlerResult;
use crate::http::extract::{Accepts, Input, RealmContext};
use crate::http::form_fields::FormFields;
use crate::http::negotiation::prefers_page;
use crate::http::openapi::operation::{FORM, JSON, Operation, page_or, required};
use crate::http::openapi::schemas;
use crate::http::pages::{human_time, page, rfc3339};
use crate::http::response::json;
use crate::http::second_factors::mfa_required;

const PASSWORD: &str = "The password that was valid before the change. Without a proof the account is disabled.";
const FACTOR: &str = "`sms` sends a code to the phone that was on record before the change, where SMS was a factor then: the answer \
                      is `mfa_required`.";
const CHALLENGE: &str = "The challenge of `mfa_required`.";

/// The schemas of the group.
pub fn schemas() -> Value {
    json!({
        "Undo": schemas::object(&["token"], json!({"token": schemas::token("The token of the link."), "password": schemas::known_password(PASSWORD), "factor": {"type": "string", "enum": ["sms"], "description": FACTOR}, "mfa_token": schemas::token(CHALLENGE), "otp": schemas::text("Its code.")})),
        "UndoPreview": schemas::object(&["change", "changed_at", "proofs"], json!({
            "change": {"type": "string", "enum": ["email", "phone", "password", "factors"]}, "changed_at": schemas::time(),
            "proofs": {"type": "array", "items": {"type": "string", "enum": ["password", "sms"]}},
        })),
        "Undone": schemas::object(&["message", "result"], json!({"message": schemas::text("For people."), "result": {"type": "string", "enum": ["restored", "disabled"]}})),
    })
}

pub static UNDO_PAGE: Operation = Operation::new(
    "Open an undo link",
    "A page with a form. Changes nothing. Ignores query parameters that it does not know.",
    &[page_or(200, "The page, or the change that the link would undo.", "UndoPreview")],
)
.query(&[required("token", "The token of the link, 43 characters.")])
.errors(&[Code::InvalidToken])
.failure_pages();

/// `GET /undo?token=`: shows the form, changes nothing.
pub async fn undo_page(context: RealmContext, input: Input) -> HandlerResult {
    let mut query = input.query()?;
    let token = query.required_secret("token");
    query.finish_ignoring_unknown()?;
    let wants_page = prefers_page(&input.headers);
    match context.service().recovery().preview_undo(&context.realm, token.expose()).await {
        Ok(preview) if wants_page => form(&context, StatusCode::OK, token.expose(), &preview, Shown::Proofs),
        Ok(preview) => {
            let proofs = if preview.by_sms { vec!["password", "sms"] } else { vec!["password"] };
            let body = json!({"change": preview.change.as_str(), "changed_at": rfc3339(preview.at), "proofs": proofs});
            Ok(json(StatusCode::OK, &body))
        }
        Err(AuthError::InvalidToken) if wants_page => {
            result(&context, StatusCode::BAD_REQUEST, &context.client.locale, "undo_failed.html")
        }
        Err(error) => Err(error.into()),
    }
}

pub static UNDO: Operation = Operation::new(
    "Undo a change of e-mail, phone, password or factors",
    "With the password from before the change, or a code to the phone that was a second factor before it (first \
     `factor=sms`, then `mfa_token` and `otp`), it restores the state of the account before it, ends every session and \
     mails a reset link. Without a proof it disables the account, which only an operator can enable. A link is \
     good for seven days and one use; five wrong passwords or codes leave only the disabling.",
    &[page_or(200, "The account is restored or disabled.", "Undone")],
)
.body(&[FORM, JSON], "Undo")
.errors(&[Code::InvalidToken, Code::WrongPassword, Code::MfaRequired, Code::PhoneNotVerified, Code::Overloaded])
.failure_pages();

/// `POST /undo`: a form of the page, or JSON.
pub async fn undo(context: RealmContext, input: Input) -> HandlerResult {
    let mut fields = input.body(Accepts::JsonOrForm)?;
    let token = fields.required_secret("token");
    let given = Given::read(&mut fields);
    fields.finish()?;
    let (token, wants_page) = (token.expose(), prefers_page(&input.headers));
    if given.sends_code {
        return send_code(&context, token, wants_page).await;
    }
    let recovery = context.service().recovery();
    // the language of the page, before the link is used
    let preview = recovery.preview_undo(&context.realm, token).await;
    let locale = preview.map_or_else(|_| context.client.locale.clone(), |preview| preview.locale);
    match recovery.undo(&context.realm, token, given.proof(), &context.client).await {
        Ok(undone) if !wants_page => Ok(json(StatusCode::OK, &undone_json(&context, undone))),
        Ok(Undone::Restored) => result(&context, StatusCode::OK, &locale, "undo_restored.html"),
        Ok(Undone::Disabled) => result(&context, StatusCode::OK, &locale, "undo_disabled.html"),
        Err(error @ (AuthError::InvalidToken | AuthError::WrongPassword)) if wants_page => {
            let (status, shown) = match (&error, &given.challenge) {
                (AuthError::WrongPassword, _) => (StatusCode::FORBIDDEN, Shown::Wrong),
                // a wrong code leaves the link good
                (_, Some(_)) => (StatusCode::BAD_REQUEST, Shown::Wrong),
                (_, None) => return result(&context, StatusCode::BAD_REQUEST, &locale, "undo_failed.html"),
            };
            match recovery.preview_undo(&context.realm, token).await {
                Ok(preview) => form(&context, status, token, &preview, shown),
                Err(_) => result(&context, StatusCode::BAD_REQUEST, &locale, "undo_failed.html"),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// The proof in a request.
#[derive(Default)]
struct Given {
    password: Option<SecretString>,
    sends_code: bool,
    challenge: Option<SecretString>,
    otp: Option<SecretString>,
}

impl Given {
    fn read(fields: &mut FormFields) -> Self {
        let (password, factor) = (fields.secret("password"), fields.text("factor"));
        let (challenge, otp) = (fields.secret("mfa_token"), fields.secret("otp"));
        // an empty or half a proof is a slip, and must not disable the account
        let is_empty = |field: &Option<SecretString>| field.as_ref().is_some_and(|field| field.expose().is_empty());
        for (name, is_missing) in [
            ("password", is_empty(&password)),
            ("mfa_token", is_empty(&challenge) || challenge.is_none() && otp.is_some()),
            ("otp", is_empty(&otp) || challenge.is_some() && otp.is_none()),
        ] {
            if is_missing {
                fields.refuse(Violation::new(name, Code::Required));
            }
        }
        if factor.as_deref().is_some_and(|factor| factor != "sms") {
            fields.refuse(Violation::new("factor", Code::ValueInvalid));
        }
        if [password.is_some(), factor.is_some(), otp.is_some()].into_iter().filter(|given| *given).count() > 1 {
            fields.refuse(Violation::with_message("token", Code::ValueInvalid, "One proof at a time"));
        }
        Self { password, sends_code: factor.is_some(), challenge, otp }
    }

    fn proof(&self) -> UndoProof<'_> {
        match (&self.password, self.challenge.as_ref().zip(self.otp.as_ref())) {
            (Some(password), _) => UndoProof::Password(password.expose()),
            (None, Some((challenge, otp))) => UndoProof::Code(FactorAnswer {
                method: None,
                challenge: Some(challenge.expose()),
                response: otp.expose(),
            }),
            (None, None) => UndoProof::None,
        }
    }
}

/// Sends a code to the phone from before the change.
async fn send_code(context: &RealmContext, token: &str, wants_page: bool) -> HandlerResult {
    let recovery = context.service().recovery();
    match recovery.send_undo_code(&context.realm, token).await {
        Ok(challenge) if wants_page => {
            let preview = recovery.preview_undo(&context.realm, token).await?;
            form(context, StatusCode::OK, token, &preview, Shown::Code(challenge.token.expose().as_str()))
        }
        Ok(challenge) => Err(mfa_required(context, &challenge)),
        Err(AuthError::InvalidToken) if wants_page => {
            result(context, StatusCode::BAD_REQUEST, &context.client.locale, "undo_failed.html")
        }
        Err(error) => Err(error.into()),
    }
}

/// The form of the undo page.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// Asks for a proof.
    Proofs,
    /// Asks for one after a wrong one.
    Wrong,
    /// Asks for the code of a challenge.
    Code(&'a str),
}

fn undone_json(context: &RealmContext, undone: Undone) -> Value {
    let app = &context.service().policy.app_name;
    match undone {
        Undone::Restored => json!({
            "message": "The change is undone; a link for a new password was sent to your email",
            "result": "restored",
        }),
        Undone::Disabled => json!({
            "message": format!("The account is disabled; only the operator of {app} can enable it"),
            "result": "disabled",
        }),
    }
}

fn form(
    context: &RealmContext,
    status: StatusCode,
    token: &str,
    preview: &UndoPreview,
    shown: Shown<'_>,
) -> HandlerResult {
    let challenge = match shown {
        Shown::Code(challenge) => Some(challenge),
        Shown::Proofs | Shown::Wrong => None,
    };
    let values = json!({
        "app_name": context.service().policy.app_name,
        "action": format!("{}/{}/undo", context.app.path_prefix, context.realm),
        "token": token,
        "change": preview.change.as_str(),
        "at": human_time(preview.at),
        "wrong": matches!(shown, Shown::Wrong),
        "by_sms": preview.by_sms,
        "challenge": challenge,
    });
    page(&context.app, status, "undo.html", &preview.locale, values)
}

fn result(context: &RealmContext, status: StatusCode, locale: &Locale, template: &str) -> HandlerResult {
    page(&context.app, status, template, locale, json!({"app_name": context.service().policy.app_name}))
}
