//! The content of a message, before a template renders it. The worker creates it, sends it and drops it.

use std::time::Duration;

use crate::model::name::PersonName;
use crate::model::otp::TypedCode;
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;

/// The link of a notice that restores the account to its state before the change.
#[derive(Debug, Clone)]
pub struct UndoLink {
    /// The right the link carries.
    pub token: OpaqueToken,
    /// How long it lives.
    pub expires_in: Duration,
}

/// An e-mail.
#[derive(Debug, Clone)]
pub enum EmailMessage {
    /// Prove this address: a link, and a code for who cannot follow it. Nothing that the registration chose: a stranger
    /// may have entered the address.
    VerifyEmail {
        /// The right the link carries.
        token: OpaqueToken,
        /// The same right, typed.
        code: TypedCode,
        /// How long both live.
        expires_in: Duration,
    },
    /// The account exists now.
    Welcome {
        /// Whose.
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
        /// The right the link carries.
        token: OpaqueToken,
        /// How long it lives.
        expires_in: Duration,
    },
    /// The password is another one now.
    PasswordChanged {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
        /// By a reset link rather than by the person logged in.
        by_reset: bool,
        /// To undo it.
        undo: Option<UndoLink>,
    },
    /// Prove this new address. Nothing that the account chose: the address may be a stranger's.
    ConfirmEmailChange {
        /// The right the link carries.
        token: OpaqueToken,
        /// How long it lives.
        expires_in: Duration,
    },
    /// To the old address: another one was asked for.
    EmailChangeRequested {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
    },
    /// To the old address: it counts no more.
    EmailChanged {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
        /// To undo it.
        undo: Option<UndoLink>,
    },
    /// The account has another phone.
    PhoneChanged {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
        /// To undo it.
        undo: Option<UndoLink>,
    },
    /// A second factor was switched on or off.
    MfaChanged {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
        /// On now.
        enabled: bool,
        /// To undo it.
        undo: Option<UndoLink>,
    },
    /// Everything stored was handed to somebody who was logged in.
    DataExported {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
    },
    /// A session was ended.
    SessionEnded {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
    },
    /// The account is gone, and the name with it.
    AccountDeleted {
        /// When.
        at: Timestamp,
    },
    /// Ten wrong second factors in a row came after the right password.
    FactorsThrottled {
        /// Whose.
        first_name: PersonName,
        /// When.
        at: Timestamp,
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
            | Self::MfaChanged { undo, .. } => undo.as_ref(),
            Self::VerifyEmail { .. }
            | Self::Welcome { .. }
            | Self::AlreadyRegistered { .. }
            | Self::ResetPassword { .. }
            | Self::ConfirmEmailChange { .. }
            | Self::EmailChangeRequested { .. }
            | Self::DataExported { .. }
            | Self::SessionEnded { .. }
            | Self::AccountDeleted { .. }
            | Self::FactorsThrottled { .. } => None,
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
            Self::PasswordChanged { .. } => "password_changed",
            Self::ConfirmEmailChange { .. } => "email_change_confirm",
            Self::EmailChangeRequested { .. } => "email_change_requested",
            Self::EmailChanged { .. } => "email_changed",
            Self::PhoneChanged { .. } => "phone_changed",
            Self::MfaChanged { .. } => "mfa_changed",
            Self::DataExported { .. } => "data_exported",
            Self::SessionEnded { .. } => "session_ended",
            Self::AccountDeleted { .. } => "account_deleted",
            Self::FactorsThrottled { .. } => "factors_throttled",
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

/// A text or call: a code and what it is for.
#[derive(Debug, Clone)]
pub struct SmsMessage {
    /// For a login rather than for proving the number.
    pub for_login: bool,
    /// The six digits.
    pub code: TypedCode,
    /// How long they live.
    pub expires_in: Duration,
}
