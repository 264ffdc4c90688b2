//! The subject and the parts of an e-mail, from its template.

use std::time::Duration;

use portcullis_core::model::listed_factor::ListedFactor;
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::mailer::{Envelope, SendError};
use serde_json::{Value, json};

use crate::messaging::links::LinkBuilder;
use crate::messaging::templates::{RenderedEmail, Renderer};

/// A rendered message.
pub struct RenderedMessage {
    /// Subject and parts.
    pub rendered: RenderedEmail,
    /// The link in it.
    pub link: Option<String>,
    /// The code in it.
    pub code: Option<String>,
}

/// Renders a message. A failing template of an operator is worth a retry: it will be corrected.
///
/// # Errors
/// `Later` when the template fails.
pub fn render(
    renderer: &Renderer,
    links: &LinkBuilder,
    envelope: &Envelope,
    message: &EmailMessage,
) -> Result<RenderedMessage, SendError> {
    let (realm, locale) = (&envelope.realm, &envelope.locale);
    let link = match message {
        EmailMessage::VerifyEmail { token, .. } | EmailMessage::ConfirmEmailChange { token, .. } => {
            Some(links.verify(realm, token))
        }
        EmailMessage::ResetPassword { token, .. }
        | EmailMessage::ResetRequired { token, .. }
        | EmailMessage::Invitation { token, .. } => Some(links.reset(realm, token)),
        message => message.undo_link().map(|undo| links.undo(realm, &undo.token)),
    };
    let code = match message {
        EmailMessage::VerifyEmail { code, .. } | EmailMessage::EnrolmentCode { code, .. } => {
            Some(code.expose().to_owned())
        }
        _ => None,
    };
    let mut values = values(message, &|duration| renderer.duration(locale, duration));
    if let Some(members) = values.as_object_mut() {
        members.insert("app_name".to_owned(), json!(links.app_name));
        members.insert("public_url".to_owned(), json!(links.public_url));
        members.extend(link.iter().map(|link| ("link".to_owned(), json!(link))));
        members.extend(code.iter().map(|code| ("code".to_owned(), json!(code))));
    }
    let rendered = renderer.render_email(message.template(), locale, values);
    Ok(RenderedMessage { rendered: rendered.map_err(|error| SendError::Later(error.to_string()))?, link, code })
}

/// The variables of a message's template, except link, code and the application's name.
fn values(message: &EmailMessage, human_duration: &dyn Fn(Duration) -> String) -> Value {
    match message {
        EmailMessage::VerifyEmail { expires_in, .. } | EmailMessage::ConfirmEmailChange { expires_in, .. } => {
            json!({"expires_in": human_duration(*expires_in)})
        }
        EmailMessage::ResetPassword { first_name, expires_in, factors, .. } => json!({
            "first_name": first_name.as_str(), "expires_in": human_duration(*expires_in), "factors": factor_values(factors),
        }),
        EmailMessage::ResetRequired { first_name, expires_in, .. }
        | EmailMessage::EnrolmentCode { first_name, expires_in, .. }
        | EmailMessage::Invitation { first_name, expires_in, .. } => {
            json!({"first_name": first_name.as_str(), "expires_in": human_duration(*expires_in)})
        }
        EmailMessage::Welcome { first_name } | EmailMessage::AlreadyRegistered { first_name } => {
            json!({"first_name": first_name.as_str()})
        }
        EmailMessage::PasswordChanged { first_name, at, by_reset, .. } => {
            let how = if *by_reset { "reset" } else { "changed" };
            json!({"first_name": first_name.as_str(), "at": human_time(*at), "how": how, "undo": undo(message, human_duration)})
        }
        EmailMessage::AccountDeleted { at } => json!({"at": human_time(*at)}),
        EmailMessage::DataExported { first_name, at }
        | EmailMessage::SessionEnded { first_name, at }
        | EmailMessage::DeviceRemembered { first_name, at }
        | EmailMessage::EmailChangeRequested { first_name, at }
        | EmailMessage::FactorsThrottled { first_name, at } => {
            json!({"first_name": first_name.as_str(), "at": human_time(*at)})
        }
        EmailMessage::OperatorActed { first_name, at, action } => {
            json!({"first_name": first_name.as_str(), "at": human_time(*at), "action": action.as_str()})
        }
        EmailMessage::EmailChanged { first_name, at, .. }
        | EmailMessage::PhoneChanged { first_name, at, .. }
        | EmailMessage::FactorsReset { first_name, at, .. } => {
            json!({"first_name": first_name.as_str(), "at": human_time(*at), "undo": undo(message, human_duration)})
        }
        EmailMessage::MfaChanged { first_name, at, factor, enabled, .. } => json!({
            "first_name": first_name.as_str(), "at": human_time(*at), "factor": factor.as_str(), "enabled": enabled,
            "undo": undo(message, human_duration),
        }),
        EmailMessage::BackupCodeUsed { first_name, at, left } => {
            json!({"first_name": first_name.as_str(), "at": human_time(*at), "left": left})
        }
    }
}

/// Factors and remembered devices for a template, with times for people.
#[must_use]
pub fn factor_values(factors: &[ListedFactor]) -> Value {
    let of = |factor: &ListedFactor| {
        json!({
            "kind": factor.kind.as_str(), "name": factor.name, "since": factor.since.map(human_time),
            "last_used_at": factor.last_used_at.map(human_time),
        })
    };
    factors.iter().map(of).collect()
}

/// How long the undo link lives, for people; null where the message has none.
fn undo(message: &EmailMessage, human_duration: &dyn Fn(Duration) -> String) -> Value {
    message.undo_link().map_or(Value::Null, |undo| json!(human_duration(undo.expires_in)))
}

/// `2026-11-24 03:00 UTC`.
#[must_use]
pub fn human_time(at: Timestamp) -> String {
    printed(at, "%Y-%m-%d %H:%M UTC")
}

/// `2026-11-24T03:00:00.000Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    printed(at, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

fn printed(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| at.strftime(format).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use portcullis_core::model::locale::Locale;

    use super::*;

    #[test]
    fn durations_and_times_read_well() {
        let renderer = Renderer::new(None).unwrap();
        let of = |tag: &str, seconds| renderer.duration(&Locale::parse(tag).unwrap(), Duration::from_secs(seconds));
        assert_eq!(
            [86_400, 1800, 300, 90, 1, 604_800].map(|seconds| of("en", seconds)),
            ["24 hours", "30 minutes", "5 minutes", "90 seconds", "1 second", "7 days"]
        );
        assert_eq!([of("de-AT", 604_800), of("de", 1), of("fr", 1800)], ["7 Tage", "1 Sekunde", "30 minutes"]);
        assert_eq!(renderer.duration(&Locale::default(), Duration::from_millis(299_995)), "5 minutes");
        assert_eq!(human_time(Timestamp::from_millis(0)), "1970-01-01 00:00 UTC");
        assert_eq!(rfc3339(Timestamp::from_millis(1)), "1970-01-01T00:00:00.001Z");
    }
}
