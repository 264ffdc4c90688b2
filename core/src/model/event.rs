//! The events of the audit log: the kind and the ids, never personal data.

use crate::model::ids::{SessionId, UserId};
use crate::model::operator_note::OperatorNote;
use crate::model::realm::Realm;
use crate::model::time::Timestamp;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A registration is pending.
    Registered,
    /// Its owner threw it away.
    RegistrationRejected,
    /// An address was proven: the account began.
    EmailVerified,
    /// A login.
    LoggedIn,
    /// A login with a wrong password or code.
    LoginFailed,
    /// Logins for an address are being slowed down.
    LoginThrottled,
    /// A caller showed the password, and the second factor, once more.
    SteppedUp,
    /// A session was ended after five wrong passwords or codes in it.
    SessionEndedByFailures,
    /// A second factor was asked for.
    MfaChallenged,
    /// A session ended by its owner.
    LoggedOut,
    /// All sessions ended by their owner.
    LoggedOutEverywhere,
    /// A refresh token was used after its successor: the session was ended.
    RefreshTokenStolen,
    /// A reset link was asked for an address that has an account.
    ResetRequested,
    /// A new password by reset link.
    PasswordReset,
    /// A new password by the person logged in.
    PasswordChanged,
    /// The profile changed.
    ProfileUpdated,
    /// A new address was asked for.
    EmailChangeRequested,
    /// A new address counts.
    EmailChanged,
    /// An undo link restored the account to its state before a change.
    ChangeUndone,
    /// An undo link disabled the account: its reader could not prove to be the owner.
    DisabledByUndo,
    /// An OTP was asked for.
    OtpRequested,
    /// The phone on record is proven.
    PhoneVerified,
    /// A wrong OTP or backup code.
    OtpFailed,
    /// A second factor was switched on.
    MfaEnabled,
    /// A second factor was switched off.
    MfaDisabled,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// New backup codes were made; the older ones are dead.
    BackupCodesCreated,
    /// An operator has removed every second factor of an account.
    FactorsReset,
    /// A backup code stood in for a second factor.
    BackupCodeUsed,
    /// A device was remembered: the next login from it asks for no second factor.
    DeviceRemembered,
    /// Its owner has forgotten it.
    DeviceForgotten,
    /// The owner exported everything that is stored.
    DataExported,
    /// The account is gone.
    AccountDeleted,
    /// An operator has switched the account off.
    AccountDisabled,
    /// An operator has switched it on again.
    AccountEnabled,
    /// An operator has made the account.
    AccountCreated,
    /// An operator has changed the roles of an account.
    RolesChanged,
    /// An operator has read the fields of the account's owner.
    AccountRead,
    /// An operator has ended the account's sessions.
    SessionsEnded,
    /// An operator has made the password void and has sent a reset link.
    ResetRequired,
    /// An operator has queued a dead letter again.
    MessageRequeued,
    /// An operator has made a service client.
    ClientCreated,
    /// An operator has given a service client a new secret.
    ClientRotated,
    /// An operator has deleted a service client.
    ClientDeleted,
    /// An operator has made an operator token.
    OperatorTokenCreated,
    /// An operator has ended an operator token.
    OperatorTokenRevoked,
    /// A message was accepted by the mail server or SMS provider.
    MessageSent,
    /// A message could not be delivered and waits for the operator.
    MessageDead,
    /// A text or call was not made, for its cost.
    TextHeldBack,
    /// An address asked for more than a limit allows. Once an hour and address at most.
    RateLimitExceeded,
    /// A right password, from an address that has shown many wrong ones within the hour.
    SuspiciousLogin,
    /// An operator has signed the records of an older version.
    RecordsSigned,
    /// An operator has begun to copy the database.
    BackupMade,
    /// The database was restored from a backup.
    BackupRestored,
    /// A token that is forged, of another realm, or no longer valid was refused. Once an hour for each address.
    TokenRefused,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 56] = [
        Self::Registered,
        Self::RegistrationRejected,
        Self::EmailVerified,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::LoginThrottled,
        Self::SteppedUp,
        Self::SessionEndedByFailures,
        Self::MfaChallenged,
        Self::LoggedOut,
        Self::LoggedOutEverywhere,
        Self::RefreshTokenStolen,
        Self::ResetRequested,
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::ProfileUpdated,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::ChangeUndone,
        Self::DisabledByUndo,
        Self::OtpRequested,
        Self::PhoneVerified,
        Self::OtpFailed,
        Self::MfaEnabled,
        Self::MfaDisabled,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::BackupCodesCreated,
        Self::FactorsReset,
        Self::BackupCodeUsed,
        Self::DeviceRemembered,
        Self::DeviceForgotten,
        Self::DataExported,
        Self::AccountDeleted,
        Self::AccountDisabled,
        Self::AccountEnabled,
        Self::AccountCreated,
        Self::RolesChanged,
        Self::AccountRead,
        Self::SessionsEnded,
        Self::ResetRequired,
        Self::MessageRequeued,
        Self::ClientCreated,
        Self::ClientRotated,
        Self::ClientDeleted,
        Self::OperatorTokenCreated,
        Self::OperatorTokenRevoked,
        Self::MessageSent,
        Self::MessageDead,
        Self::TextHeldBack,
        Self::RateLimitExceeded,
        Self::SuspiciousLogin,
        Self::RecordsSigned,
        Self::BackupMade,
        Self::BackupRestored,
        Self::TokenRefused,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::RegistrationRejected => "registration_rejected",
            Self::EmailVerified => "email_verified",
            Self::LoggedIn => "logged_in",
            Self::LoginFailed => "login_failed",
            Self::LoginThrottled => "login_throttled",
            Self::SteppedUp => "stepped_up",
            Self::SessionEndedByFailures => "session_ended_by_failures",
            Self::MfaChallenged => "mfa_challenged",
            Self::LoggedOut => "logged_out",
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::RefreshTokenStolen => "refresh_token_stolen",
            Self::ResetRequested => "reset_requested",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::ProfileUpdated => "profile_updated",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
            Self::ChangeUndone => "change_undone",
            Self::DisabledByUndo => "disabled_by_undo",
            Self::OtpRequested => "otp_requested",
            Self::PhoneVerified => "phone_verified",
            Self::OtpFailed => "otp_failed",
            Self::MfaEnabled => "mfa_enabled",
            Self::MfaDisabled => "mfa_disabled",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::BackupCodesCreated => "backup_codes_created",
            Self::FactorsReset => "factors_reset",
            Self::BackupCodeUsed => "backup_code_used",
            Self::DeviceRemembered => "device_remembered",
            Self::DeviceForgotten => "device_forgotten",
            Self::DataExported => "data_exported",
            Self::AccountDeleted => "account_deleted",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::AccountCreated => "account_created",
            Self::RolesChanged => "roles_changed",
            Self::AccountRead => "account_read",
            Self::SessionsEnded => "sessions_ended",
            Self::ResetRequired => "reset_required",
            Self::MessageRequeued => "message_requeued",
            Self::ClientCreated => "client_created",
            Self::ClientRotated => "client_rotated",
            Self::ClientDeleted => "client_deleted",
            Self::OperatorTokenCreated => "operator_token_created",
            Self::OperatorTokenRevoked => "operator_token_revoked",
            Self::MessageSent => "message_sent",
            Self::MessageDead => "message_dead",
            Self::TextHeldBack => "text_held_back",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::SuspiciousLogin => "suspicious_login",
            Self::RecordsSigned => "records_signed",
            Self::BackupMade => "backup_made",
            Self::BackupRestored => "backup_restored",
            Self::TokenRefused => "token_refused",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The time at which it happened.
    pub at: Timestamp,
    /// Where.
    pub realm: Realm,
    /// What.
    pub kind: EventKind,
    /// To which account, where one is known.
    pub user: Option<UserId>,
    /// In which session, where there is one.
    pub session: Option<SessionId>,
    /// The operator who did it, where it was one.
    pub operator: Option<OperatorNote>,
}
