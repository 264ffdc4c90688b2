//! Category, level, priority and message of an event in Watchman. They have ids, codes and the operator's name, and no
//! personal data of an account.

use std::fmt::Write as _;

use portcullis_core::model::event::{Event, EventKind};

/// The Watchman category of an event.
#[rustfmt::skip]
pub const fn category(kind: EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::LoginThrottled | K::SessionEndedByFailures | K::RefreshTokenStolen | K::ChangeUndone
        | K::DisabledByUndo | K::RegistrationRejected | K::RateLimitExceeded | K::CredentialsRefused
        | K::AccessDenied | K::SuspiciousLogin => "violation",
        K::SessionsEnded | K::LoggedOut | K::LoggedOutEverywhere | K::ResetRequested | K::OtpRequested
        | K::TokenRefused => "token",
        K::MessageSent | K::MessageRequeued | K::TextHeldBack | K::WebhookTested | K::WebhookDisabled => {
            "communication"
        },
        K::ProfileUpdated | K::DataExported | K::AccountDeleted | K::EmailChangeRequested | K::EmailChanged
        | K::AccountRead | K::AuditRead | K::KeysRewrapped | K::KeysReindexed | K::SettingsChanged
        | K::RecordsSigned | K::BackupMade | K::BackupRestored => "data",
        K::MessageDead | K::WebhookFailed => "error",
        K::Registered | K::EmailVerified | K::LoggedIn | K::LoginFailed | K::SteppedUp | K::MfaChallenged
        | K::PasswordReset | K::PasswordChanged | K::PhoneVerified | K::OtpFailed | K::MfaEnabled
        | K::MfaDisabled | K::PasskeyAdded | K::PasskeyRemoved | K::BackupCodesCreated | K::FactorsReset
        | K::BackupCodeUsed | K::DeviceRemembered | K::DeviceForgotten | K::AccountDisabled | K::AccountEnabled
        | K::AccountCreated | K::RolesChanged | K::ClientCreated | K::ClientRotated | K::ClientDeleted
        | K::OperatorTokenCreated | K::OperatorTokenRevoked | K::ResetRequired | K::WebhookCreated
        | K::WebhookChanged | K::WebhookRotated | K::WebhookDeleted => "authentication",
    }
}

/// The Watchman level of an event: `info`, `warning` or `error`.
pub const fn level(kind: EventKind) -> &'static str {
    use EventKind as K;
    match kind {
        K::RefreshTokenStolen
        | K::SessionEndedByFailures
        | K::SuspiciousLogin
        | K::ChangeUndone
        | K::DisabledByUndo
        | K::MessageDead
        | K::WebhookFailed => "error",
        K::LoginThrottled
        | K::RegistrationRejected
        | K::LoginFailed
        | K::OtpFailed
        | K::FactorsReset
        | K::BackupCodeUsed
        | K::BackupMade
        | K::BackupRestored
        | K::TextHeldBack
        | K::WebhookDisabled
        | K::RateLimitExceeded
        | K::CredentialsRefused
        | K::AccessDenied
        | K::SettingsChanged
        | K::TokenRefused => "warning",
        _ => "info",
    }
}

/// The Watchman priority of an event, by its level: `low`, `medium` or `high`.
pub fn priority(kind: EventKind) -> &'static str {
    match level(kind) {
        "error" => "high",
        "warning" => "medium",
        _ => "low",
    }
}

/// The message of an event: its name, realm, ids, operator and detail.
pub fn message(event: &Event) -> String {
    let mut message = format!("{} realm={}", event.kind.as_str(), event.realm);
    // writing to a String can't fail
    if let Some(user) = &event.user {
        let _ = write!(message, " user={user}");
    }
    if let Some(session) = &event.session {
        let _ = write!(message, " session={session}");
    }
    if let Some(note) = &event.operator {
        let _ = write!(message, " operator={:?}", note.operator);
    }
    if let Some(detail) = &event.detail {
        let _ = write!(message, " {}", detail.as_str());
    }
    message
}
