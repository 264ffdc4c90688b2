//! The content of a message, before a template renders it. The worker creates it, sends it and drops it.

use std::time::Duration;

use crate::model::factor::FactorMethod;
use crate::model::listed_factor::ListedFactor;
use crate::model::name::PersonName;
use crate::model::otp::TypedCode;
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;

/// The link of a notice that restores the account to its state before the change.
#[derive(Debug, Clone)]
pub struct UndoLink {
    /// The token in the link.
    pub token: OpaqueToken,
    /// Its lifetime.
    pub expires_in: Duration,
}

/// An operator's action of which the owner of the account gets a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorAction {
    /// Every session was ended.
    SessionsEnded,
    /// Everything stored was handed out.
    DataExported,
}

impl OperatorAction {
    /// `sessions_ended` or `data_exported`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionsEnded => "sessions_ended",
            Self::DataExported => "data_exported",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::SessionsEnded, Self::DataExported].into_iter().find(|action| action.as_str() == text)
    }
}

/// An e-mail.
#[derive(Debug, Clone)]
pub enum EmailMessage {
    /// Prove this address: a link, and a code for users who cannot follow it. Contains nothing that the
    /// registration chose: a stranger may have entered the address.
    VerifyEmail {
        /// The token in the link.
        token: OpaqueToken,
        /// The code that can be typed instead of the link.
        code: TypedCode,
        /// The lifetime of both.
        expires_in: Duration,
    },
    /// The account exists now.
    Welcome {
        /// The first name of the account's owner.
        first_name: PersonName,
    },
    /// Someone registered an address that has an account.
    AlreadyRegistered {
        /// The owner of the account.
        first_name: PersonName,
    },
    /// Set a new password.
    ResetPassword {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The token in the link.
        token: OpaqueToken,
        /// Its lifetime.
        expires_in: Duration,
        /// Everything else that opens the account.
        factors: Vec<ListedFactor>,
    },
    /// Choose a password: an operator has made the old one void.
    ResetRequired {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The token in the link.
        token: OpaqueToken,
        /// Its lifetime.
        expires_in: Duration,
    },
    /// Choose a password: an operator has made the account.
    Invitation {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The token in the link.
        token: OpaqueToken,
        /// Its lifetime.
        expires_in: Duration,
    },
    /// The password was changed.
    PasswordChanged {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// By a reset link rather than by the person logged in.
        by_reset: bool,
        /// The link that undoes the change.
        undo: Option<UndoLink>,
    },
    /// Prove this new address. Nothing that the account chose: the address may be a stranger's.
    ConfirmEmailChange {
        /// The token in the link.
        token: OpaqueToken,
        /// Its lifetime.
        expires_in: Duration,
    },
    /// To the old address: another one was asked for.
    EmailChangeRequested {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// To the old address: it counts no more.
    EmailChanged {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// The link that undoes the change.
        undo: Option<UndoLink>,
    },
    /// The account has another phone.
    PhoneChanged {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// The link that undoes the change.
        undo: Option<UndoLink>,
    },
    /// A second factor was switched on or off, or has new backup codes.
    MfaChanged {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// Which factor.
        factor: FactorMethod,
        /// Whether it is enabled now.
        enabled: bool,
        /// The link that undoes the change.
        undo: Option<UndoLink>,
    },
    /// The account's data was exported by a logged-in client.
    DataExported {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// A session was ended.
    SessionEnded {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// A device was remembered.
    DeviceRemembered {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// An operator did something to the account.
    OperatorActed {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// The action.
        action: OperatorAction,
    },
    /// The account is gone, and the name with it.
    AccountDeleted {
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Ten wrong second factors in a row came after the right password.
    FactorsThrottled {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// An operator has removed every second factor.
    FactorsReset {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// The link that undoes the change.
        undo: Option<UndoLink>,
    },
    /// The code that proves the mailbox of an account that must add its first factor.
    EnrolmentCode {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The code.
        code: TypedCode,
        /// Its lifetime.
        expires_in: Duration,
    },
    /// A backup code stood in for a second factor.
    BackupCodeUsed {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time at which it happened.
        at: Timestamp,
        /// How many are left.
        left: u8,
    },
}

impl EmailMessage {
    /// The undo link it carries.
    #[must_use]
    pub const fn undo_link(&self) -> Option<&UndoLink> {
        match self {
            Self::PasswordChanged { undo, .. }
            | Self::EmailChanged { undo, .. }
            | Self::PhoneChanged { undo, .. }
            | Self::MfaChanged { undo, .. }
            | Self::FactorsReset { undo, .. } => undo.as_ref(),
            Self::VerifyEmail { .. }
            | Self::Welcome { .. }
            | Self::AlreadyRegistered { .. }
            | Self::ResetPassword { .. }
            | Self::ResetRequired { .. }
            | Self::Invitation { .. }
            | Self::ConfirmEmailChange { .. }
            | Self::EmailChangeRequested { .. }
            | Self::DataExported { .. }
            | Self::SessionEnded { .. }
            | Self::DeviceRemembered { .. }
            | Self::OperatorActed { .. }
            | Self::AccountDeleted { .. }
            | Self::FactorsThrottled { .. }
            | Self::EnrolmentCode { .. }
            | Self::BackupCodeUsed { .. } => None,
        }
    }

    /// The template that gives it words.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "mail_email_verify",
            Self::Welcome { .. } => "registration",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::ResetPassword { .. } => "mail_password_reset",
            Self::ResetRequired { .. } => "reset_required",
            Self::Invitation { .. } => "invitation",
            Self::PasswordChanged { .. } => "password_changed",
            Self::ConfirmEmailChange { .. } => "email_change_confirm",
            Self::EmailChangeRequested { .. } => "email_change_requested",
            Self::EmailChanged { .. } => "email_changed",
            Self::PhoneChanged { .. } => "phone_changed",
            Self::MfaChanged { .. } => "mfa_changed",
            Self::DataExported { .. } => "data_exported",
            Self::SessionEnded { .. } => "session_ended",
            Self::DeviceRemembered { .. } => "device_remembered",
            Self::OperatorActed { .. } => "operator_acted",
            Self::AccountDeleted { .. } => "account_deleted",
            Self::FactorsThrottled { .. } => "factors_throttled",
            Self::FactorsReset { .. } => "factors_reset",
            Self::EnrolmentCode { .. } => "enrolment_code",
            Self::BackupCodeUsed { .. } => "backup_code_used",
        }
    }
}

/// How a text reaches a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A short message.
    Sms,
    /// A call that reads the code.
    Voice,
}

impl Channel {
    /// `sms` or `voice`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Voice => "voice",
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sms, Self::Voice].into_iter().find(|channel| channel.as_str() == text)
    }
}

/// An SMS or call: a code and its purpose.
#[derive(Debug, Clone)]
pub struct SmsMessage {
    /// For a login rather than for proving the number.
    pub for_login: bool,
    /// The six digits.
    pub code: TypedCode,
    /// Their lifetime.
    pub expires_in: Duration,
}
