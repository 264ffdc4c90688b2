//! The events of the audit log: the kind and the ids, never personal data.

use crate::model::event_detail::EventDetail;
use crate::model::ids::{SessionId, UserId};
use crate::model::operator_note::OperatorNote;
use crate::model::realm::Realm;
use crate::model::time::Timestamp;

/// Makes the enumeration of kinds, the list of all of them, and their names.
macro_rules! event_kinds {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// The kind of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])+ $kind,)+
        }

        impl EventKind {
            /// All kinds.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// Its stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

event_kinds! {
    /// A registration is pending.
    Registered = "registered",
    /// Its owner threw it away.
    RegistrationRejected = "registration_rejected",
    /// An address was proven: the account began.
    EmailVerified = "email_verified",
    /// A login.
    LoggedIn = "logged_in",
    /// A login with a wrong password or code.
    LoginFailed = "login_failed",
    /// Logins for an address are being slowed down.
    LoginThrottled = "login_throttled",
    /// A caller showed the password, and the second factor, once more.
    SteppedUp = "stepped_up",
    /// A session was ended after five wrong passwords or codes in it.
    SessionEndedByFailures = "session_ended_by_failures",
    /// A second factor was asked for.
    MfaChallenged = "mfa_challenged",
    /// A session ended by its owner.
    LoggedOut = "logged_out",
    /// All sessions ended by their owner.
    LoggedOutEverywhere = "logged_out_everywhere",
    /// A refresh token was used after its successor: the session was ended.
    RefreshTokenStolen = "refresh_token_stolen",
    /// A reset link was asked for an address that has an account.
    ResetRequested = "reset_requested",
    /// A new password by reset link.
    PasswordReset = "password_reset",
    /// A new password by the person logged in.
    PasswordChanged = "password_changed",
    /// The profile changed.
    ProfileUpdated = "profile_updated",
    /// A new address was asked for.
    EmailChangeRequested = "email_change_requested",
    /// A new address counts.
    EmailChanged = "email_changed",
    /// An undo link restored the account to its state before a change.
    ChangeUndone = "change_undone",
    /// An undo link disabled the account: its reader could not prove to be the owner.
    DisabledByUndo = "disabled_by_undo",
    /// An OTP was asked for.
    OtpRequested = "otp_requested",
    /// The phone on record is proven.
    PhoneVerified = "phone_verified",
    /// A wrong OTP or backup code.
    OtpFailed = "otp_failed",
    /// A second factor was switched on.
    MfaEnabled = "mfa_enabled",
    /// A second factor was switched off.
    MfaDisabled = "mfa_disabled",
    /// A passkey was added.
    PasskeyAdded = "passkey_added",
    /// A passkey was removed.
    PasskeyRemoved = "passkey_removed",
    /// New backup codes were made; the older ones are dead.
    BackupCodesCreated = "backup_codes_created",
    /// An operator has removed every second factor of an account.
    FactorsReset = "factors_reset",
    /// A backup code stood in for a second factor.
    BackupCodeUsed = "backup_code_used",
    /// A device was remembered: the next login from it asks for no second factor.
    DeviceRemembered = "device_remembered",
    /// Its owner has forgotten it.
    DeviceForgotten = "device_forgotten",
    /// The owner exported everything that is stored.
    DataExported = "data_exported",
    /// The account is gone.
    AccountDeleted = "account_deleted",
    /// An operator has switched the account off.
    AccountDisabled = "account_disabled",
    /// An operator has switched it on again.
    AccountEnabled = "account_enabled",
    /// An operator has made the account.
    AccountCreated = "account_created",
    /// An operator has changed the roles of an account.
    RolesChanged = "roles_changed",
    /// An operator has read the fields of the account's owner.
    AccountRead = "account_read",
    /// An operator has ended the account's sessions.
    SessionsEnded = "sessions_ended",
    /// An operator has made the password void and has sent a reset link.
    ResetRequired = "reset_required",
    /// An operator has queued a dead letter again.
    MessageRequeued = "message_requeued",
    /// An operator has made a service client.
    ClientCreated = "client_created",
    /// An operator has given a service client a new secret.
    ClientRotated = "client_rotated",
    /// An operator has deleted a service client.
    ClientDeleted = "client_deleted",
    /// An operator has made an operator token.
    OperatorTokenCreated = "operator_token_created",
    /// An operator has ended an operator token.
    OperatorTokenRevoked = "operator_token_revoked",
    /// A message was accepted by the mail server or SMS provider.
    MessageSent = "message_sent",
    /// A message could not be delivered and waits for the operator.
    MessageDead = "message_dead",
    /// A text or call was not made, for its cost.
    TextHeldBack = "text_held_back",
    /// An address asked for more than a limit allows. Once an hour and address at most.
    RateLimitExceeded = "rate_limit_exceeded",
    /// A right password, from an address that has shown many wrong ones within the hour.
    SuspiciousLogin = "suspicious_login",
    /// An operator has signed the records of an older version.
    RecordsSigned = "records_signed",
    /// An operator has begun to copy the database.
    BackupMade = "backup_made",
    /// The database was restored from a backup.
    BackupRestored = "backup_restored",
    /// A token that is forged, of another realm, or no longer valid was refused. Once an hour for each address.
    TokenRefused = "token_refused",
    /// Credentials of a service client or of an operator that are not known were refused. Once an hour for each address.
    CredentialsRefused = "credentials_refused",
    /// The admin API refused a caller whom it knows: the scope, the role or a recent second factor is missing. Once an
    /// hour for each caller.
    AccessDenied = "access_denied",
    /// An operator has wrapped and signed the records under the newest key.
    KeysRewrapped = "keys_rewrapped",
    /// An operator has given the records blind indexes under the newest key.
    KeysReindexed = "keys_reindexed",
    /// A server has started with other settings than the last one.
    SettingsChanged = "settings_changed",
    /// An operator has read the events of an account, or all of them.
    AuditRead = "audit_read",
    /// An operator has made a webhook.
    WebhookCreated = "webhook_created",
    /// An operator has changed a webhook.
    WebhookChanged = "webhook_changed",
    /// An operator has given a webhook a new secret.
    WebhookRotated = "webhook_rotated",
    /// An operator has deleted a webhook.
    WebhookDeleted = "webhook_deleted",
    /// An operator has ordered a test message to a webhook.
    WebhookTested = "webhook_tested",
    /// A webhook gets no message any more: its receiver has answered 410.
    WebhookDisabled = "webhook_disabled",
    /// A message to a webhook could not be delivered and waits for the operator.
    WebhookFailed = "webhook_failed",
}

impl EventKind {
    /// Whether a webhook may subscribe to this kind. The failure of a delivery would cause the next delivery, and a test goes
    /// to the webhook that is tested.
    #[must_use]
    pub const fn is_for_webhooks(self) -> bool {
        !matches!(self, Self::WebhookFailed | Self::WebhookTested)
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
    /// More about it.
    pub detail: Option<EventDetail>,
}
