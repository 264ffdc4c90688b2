//! Work that waits outside a request: a job names records and carries no secret, and of a person nothing but the sealed
//! address of a deleted account.

use std::time::Duration;

use crate::model::factor::FactorMethod;
use crate::model::ids::{JobId, UndoId, UserId, WebhookId};
use crate::model::message::{Channel, OperatorAction};
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use crate::model::time::Timestamp;
use crate::model::webhook::WebhookEvent;

/// The task to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Mail the link and code of a registration, or tell the owner of the address if it has an account.
    VerifyRegistration(UserId),
    /// The same once more, asked for from a network (/24, /48).
    VerifyAgain {
        /// The registration.
        registration: UserId,
        /// Digest of the network.
        network: Option<Digest>,
    },
    /// The same for the newest pending registration of an address whose mails of the day are spent.
    VerifyNewest(RingDigest),
    /// Send the e-mail again for each pending registration of an address.
    ResendVerification {
        /// The blind index of the address.
        email: RingDigest,
        /// Digest of the network that asked.
        network: Option<Digest>,
    },
    /// Mail a reset link if the address has an account.
    ResetPassword {
        /// The blind index of the address.
        email: RingDigest,
        /// Digest of the network that asked.
        network: Option<Digest>,
    },
    /// Mail a reset link to an account that an undo link has restored.
    ResetAfterUndo(UserId),
    /// Mail a link to choose a password: an operator has made the old one void.
    ResetRequired(UserId),
    /// Mail a link to choose a password: an operator has made the account.
    Invitation(UserId),
    /// Mail that the account exists now.
    Welcome(UserId),
    /// Mail that the password was changed.
    PasswordChanged {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// Whether a reset link was used.
        by_reset: bool,
        /// Its undo record.
        undo: Option<UndoId>,
    },
    /// Mail the link for a new address.
    ConfirmEmailChange(UserId),
    /// Notify the old address that a change to another one was requested.
    EmailChangeRequested {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Notify the old address that it is no longer the account's.
    EmailChanged {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// Its undo record.
        undo: Option<UndoId>,
    },
    /// Mail that the phone was changed.
    PhoneChanged {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// Its undo record.
        undo: Option<UndoId>,
    },
    /// Mail that a second factor was switched, or that there are new backup codes.
    MfaChanged {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// Which factor.
        factor: FactorMethod,
        /// Whether it is enabled now.
        enabled: bool,
        /// Its undo record.
        undo: Option<UndoId>,
    },
    /// The notice of an export.
    DataExported {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Mail that a session was ended.
    SessionEnded {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Mail that a device was remembered.
    DeviceRemembered {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Mail that an operator did something to the account.
    OperatorActed {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// The action.
        action: OperatorAction,
    },
    /// Mail that the account is gone. The only task that has something of a person: the address, sealed under a key of its
    /// own, which goes with the job.
    AccountDeleted {
        /// The account that was.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// The key, bound to the job.
        key: WrappedKey,
        /// The address.
        address: Sealed,
    },
    /// Mail that ten wrong second factors in a row came after the right password.
    FactorsThrottled {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
    },
    /// Mail that an operator has removed every second factor.
    FactorsReset {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// Its undo record.
        undo: Option<UndoId>,
    },
    /// Mail that a backup code stood in for a second factor.
    BackupCodeUsed {
        /// The account.
        user: UserId,
        /// The time at which it happened.
        at: Timestamp,
        /// How many are left.
        left: u8,
    },
    /// Send the code of a challenge by SMS or call, if its holder and token are still the ones it was made for.
    SendOtp {
        /// The account whose phone it is.
        user: UserId,
        /// Proving the number, or a login.
        purpose: Purpose,
        /// The digest of the challenge's token.
        challenge: Digest,
        /// By text or by call.
        channel: Channel,
    },
    /// Mail the code of an account's enrolment challenge, if that is still the account's newest.
    SendEnrolmentCode {
        /// The account.
        user: UserId,
        /// The digest of the challenge's token.
        challenge: Digest,
    },
    /// Send the code of an undo link's challenge to the phone that was on record before the change.
    SendUndoCode {
        /// The account.
        user: UserId,
        /// The undo record.
        record: UndoId,
        /// The digest of the challenge's token.
        challenge: Digest,
    },
    /// Send an event to a webhook, if it still exists and is not disabled.
    NotifyWebhook {
        /// The webhook.
        webhook: WebhookId,
        /// The event.
        event: WebhookEvent,
    },
}

/// Whom a job is about, so that an erasure finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobSubject {
    /// A user or registration.
    Subject(UserId),
    /// An address, by its blind index.
    Address(RingDigest),
    /// A webhook. The account of an event is not the subject: its erasure must not stop the message that tells of it.
    Webhook(WebhookId),
}

impl JobSubject {
    /// Whether an erasure of this subject finds a job about `job`. Stores have the newest digest of a job's address.
    #[must_use]
    pub fn covers(&self, job: &Self) -> bool {
        match (self, job) {
            (Self::Address(erased), Self::Address(job)) => erased.has(job.newest()),
            _ => self == job,
        }
    }

    /// The user or registration, if it is about one.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Subject(user) => Some(*user),
            Self::Address(_) | Self::Webhook(_) => None,
        }
    }

    /// The id by which stores find jobs about a record.
    #[must_use]
    pub const fn record(&self) -> Option<UserId> {
        match self {
            Self::Subject(user) => Some(*user),
            Self::Webhook(webhook) => Some(UserId::from_bytes(*webhook.as_bytes())),
            Self::Address(_) => None,
        }
    }
}

impl Task {
    /// The subject of the job.
    #[must_use]
    pub const fn about(&self) -> JobSubject {
        match self {
            Self::VerifyNewest(index)
            | Self::ResendVerification { email: index, .. }
            | Self::ResetPassword { email: index, .. } => JobSubject::Address(*index),
            Self::VerifyRegistration(user)
            | Self::VerifyAgain { registration: user, .. }
            | Self::ResetAfterUndo(user)
            | Self::ResetRequired(user)
            | Self::Invitation(user)
            | Self::Welcome(user)
            | Self::ConfirmEmailChange(user)
            | Self::PasswordChanged { user, .. }
            | Self::EmailChangeRequested { user, .. }
            | Self::EmailChanged { user, .. }
            | Self::PhoneChanged { user, .. }
            | Self::MfaChanged { user, .. }
            | Self::DataExported { user, .. }
            | Self::SessionEnded { user, .. }
            | Self::DeviceRemembered { user, .. }
            | Self::OperatorActed { user, .. }
            | Self::AccountDeleted { user, .. }
            | Self::FactorsThrottled { user, .. }
            | Self::FactorsReset { user, .. }
            | Self::BackupCodeUsed { user, .. }
            | Self::SendOtp { user, .. }
            | Self::SendEnrolmentCode { user, .. }
            | Self::SendUndoCode { user, .. } => JobSubject::Subject(*user),
            Self::NotifyWebhook { webhook, .. } => JobSubject::Webhook(*webhook),
        }
    }

    /// The undo record of the change that it tells of.
    #[must_use]
    pub const fn undo(&self) -> Option<&UndoId> {
        match self {
            Self::PasswordChanged { undo, .. }
            | Self::EmailChanged { undo, .. }
            | Self::PhoneChanged { undo, .. }
            | Self::MfaChanged { undo, .. }
            | Self::FactorsReset { undo, .. } => undo.as_ref(),
            _ => None,
        }
    }

    /// A stable name for lists, logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyRegistration(_) => "verify_registration",
            Self::VerifyAgain { .. } => "verify_again",
            Self::VerifyNewest(_) => "verify_newest",
            Self::ResendVerification { .. } => "resend_verification",
            Self::ResetPassword { .. } => "reset_password",
            Self::ResetAfterUndo(_) => "reset_after_undo",
            Self::ResetRequired(_) => "reset_required",
            Self::Invitation(_) => "invitation",
            Self::Welcome(_) => "welcome",
            Self::PasswordChanged { .. } => "password_changed",
            Self::ConfirmEmailChange(_) => "confirm_email_change",
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
            Self::BackupCodeUsed { .. } => "backup_code_used",
            Self::SendOtp { .. } => "send_otp",
            Self::SendEnrolmentCode { .. } => "send_enrolment_code",
            Self::SendUndoCode { .. } => "send_undo_code",
            Self::NotifyWebhook { .. } => "webhook",
        }
    }

    /// How long to wait after the n-th failed try; `None` where it was the last one. A webhook gets ten tries in three days,
    /// as the examples of Standard Webhooks have it.
    #[must_use]
    pub fn wait_after(&self, attempts: u32) -> Option<Duration> {
        if matches!(self, Self::NotifyWebhook { .. }) {
            let nth = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            return WEBHOOK_WAITS.get(nth).map(|seconds| Duration::from_secs(*seconds));
        }
        (attempts < MAX_ATTEMPTS).then(|| backoff(attempts))
    }
}

/// A job of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name; also makes the `Message-ID`, so that a second delivery can be recognised.
    pub id: JobId,
    /// The population.
    pub realm: Realm,
    /// The task to do.
    pub task: Task,
    /// How often it was begun.
    pub attempts: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The trace of the request that ordered it, where requests are traced.
    pub trace: Option<TraceContext>,
}

/// A span of a distributed trace (W3C Trace Context): what is caused by it joins its trace. Both ids are random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span in it.
    pub span: [u8; 8],
}

/// Tries after which a job is a dead letter.
pub const MAX_ATTEMPTS: u32 = 12;

/// The waits between the tries of a message to a webhook, in seconds: 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h.
const WEBHOOK_WAITS: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How long to wait after the n-th failed try: 2 s, doubling, an hour at most.
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    Duration::from_secs(2u64.saturating_pow(attempts.clamp(1, 12)).min(3600))
}

/// A job and its place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// The job.
    pub job: Job,
    /// When it is due, while it is no dead letter.
    pub due_at: Timestamp,
    /// Since when it is a dead letter, and why.
    pub dead: Option<(Timestamp, String)>,
}

/// A job that failed for good and waits for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The job.
    pub job: Job,
    /// Why, in words without anyone's data.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}
