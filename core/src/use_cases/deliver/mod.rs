//! Deliver: the worker's use case. It takes a job, loads and decrypts the records that the job names, makes the token,
//! sends the message and drops it. At least once; a job that cannot succeed becomes a dead letter.

mod budget;
mod links;
mod notices;
mod otp;
mod verification;
mod webhook;

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::ids::{JobId, UserId};
use crate::model::job::{Job, Task};
use crate::model::locale::Locale;
use crate::model::message::EmailMessage;
use crate::model::sealed::Field;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::ports::mailer::{Envelope, SendError};
use crate::service::AuthService;
use crate::service::Ports;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::sms_quotas::SmsDenied;

/// How long a worker may take for one job before another one takes it up.
pub const LEASE: Duration = Duration::from_secs(120);

/// The longest that a service may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The outcome of a job.
#[derive(Debug)]
pub enum Delivery {
    /// There was none to do.
    Idle,
    /// Done, or nothing to do any more.
    Done(JobId),
    /// To be tried again.
    Later(JobId, String),
    /// A dead letter.
    Dead(JobId, String),
    /// Done without sending: a text that would have cost too much.
    Held(JobId, SmsDenied),
}

/// Why a job did not succeed.
enum Failure {
    Later(String),
    After(Duration, String),
    Never(String),
    Held(SmsDenied),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Later(reason) => Self::Later(reason),
            SendError::After(wait, reason) => Self::After(wait, reason),
            SendError::Never(reason) => Self::Never(reason),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        Self::Later(error.to_string())
    }
}

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Deliveries<'a> {
    service: &'a AuthService,
}

impl AuthService {
    /// Jobs: the messages that use cases ordered.
    #[must_use]
    pub const fn deliveries(&self) -> Deliveries<'_> {
        Deliveries { service: self }
    }
}

impl Deliveries<'_> {
    /// Takes one job that is due and does it.
    ///
    /// # Errors
    /// When the queue itself fails.
    pub async fn deliver_next(self) -> Result<Delivery, AuthError> {
        match self.claim_next().await? {
            Some(job) => self.deliver(job).await,
            None => Ok(Delivery::Idle),
        }
    }

    /// Takes one job that is due, for [`Self::deliver`].
    ///
    /// # Errors
    /// When the queue itself fails.
    pub async fn claim_next(self) -> Result<Option<Job>, AuthError> {
        let Ports { jobs, clock, .. } = &self.service.ports;
        Ok(jobs.claim(clock.now(), LEASE).await?)
    }

    /// Does a job that was claimed.
    ///
    /// # Errors
    /// When the queue itself fails.
    pub async fn deliver(self, job: Job) -> Result<Delivery, AuthError> {
        let Ports { jobs, clock, .. } = &self.service.ports;
        match self.perform(&job).await {
            Ok(()) => {
                jobs.complete(&job.id).await?;
                Ok(Delivery::Done(job.id))
            }
            Err(Failure::Later(reason)) if let Some(wait) = job.task.wait_after(job.attempts) => {
                jobs.retry_at(&job.id, clock.now() + self.jittered(wait)).await?;
                Ok(Delivery::Later(job.id, reason))
            }
            Err(Failure::After(asked, reason)) if let Some(wait) = job.task.wait_after(job.attempts) => {
                jobs.retry_at(&job.id, clock.now() + asked.min(LONGEST_WAIT).max(wait)).await?;
                Ok(Delivery::Later(job.id, reason))
            }
            // no dead letter: the address goes with the job
            Err(Failure::Later(reason) | Failure::After(_, reason) | Failure::Never(reason))
                if matches!(job.task, Task::AccountDeleted { .. }) =>
            {
                jobs.complete(&job.id).await?;
                self.service.record(&job.realm, EventKind::MessageDead, None, None);
                Ok(Delivery::Dead(job.id, reason))
            }
            Err(Failure::Later(reason) | Failure::After(_, reason) | Failure::Never(reason)) => {
                jobs.dead_letter(&job.id, &reason, clock.now()).await?;
                let of_webhook = matches!(job.task, Task::NotifyWebhook { .. });
                let kind = if of_webhook { EventKind::WebhookFailed } else { EventKind::MessageDead };
                self.service.record(&job.realm, kind, None, None);
                Ok(Delivery::Dead(job.id, reason))
            }
            Err(Failure::Held(refusal)) => {
                jobs.complete(&job.id).await?;
                self.service.record(&job.realm, EventKind::TextHeldBack, None, None);
                Ok(Delivery::Held(job.id, refusal))
            }
        }
    }

    /// Up to a quarter less: what failed together does not come again together.
    fn jittered(self, wait: Duration) -> Duration {
        let mut chance = [0];
        self.service.ports.randomness.fill(&mut chance);
        let [chance] = chance;
        wait.saturating_sub(wait * u32::from(chance) / 1024)
    }

    async fn perform(self, job: &Job) -> Result<(), Failure> {
        match &job.task {
            Task::VerifyRegistration(id) => self.deliver_verification(job, id, None).await,
            Task::VerifyAgain { registration, network } => self.deliver_verification(job, registration, *network).await,
            Task::VerifyNewest(email) => self.deliver_newest(job, email).await,
            Task::ResendVerification { email, network } => self.deliver_again(job, email, *network).await,
            Task::ResetPassword { email, network } => self.deliver_reset(job, email, *network).await,
            Task::ConfirmEmailChange(user) => self.deliver_confirmation(job, user).await,
            Task::ResetAfterUndo(user) | Task::ResetRequired(user) | Task::Invitation(user) => {
                self.deliver_ordered_reset(job, user).await
            }
            Task::EmailChanged { user, at, undo } => self.deliver_to_old_address(job, user, *at, undo.as_ref()).await,
            Task::AccountDeleted { user, at, key, address } => {
                self.deliver_deletion(job, user, *at, (key, address)).await
            }
            Task::SendOtp { user, purpose, challenge, channel } => {
                self.deliver_otp(job, user, *purpose, challenge, *channel).await
            }
            Task::SendEnrolmentCode { user, challenge } => self.deliver_enrolment_code(job, user, challenge).await,
            Task::NotifyWebhook { webhook, event } => self.deliver_to_webhook(job, webhook, event).await,
            Task::SendUndoCode { user, record, challenge } => {
                self.deliver_undo_code(job, user, record, challenge).await
            }
            Task::PasswordChanged { user, undo, .. }
            | Task::PhoneChanged { user, undo, .. }
            | Task::MfaChanged { user, undo, .. }
            | Task::FactorsReset { user, undo, .. } => self.deliver_notice(job, user, undo.as_ref()).await,
            Task::Welcome(user)
            | Task::EmailChangeRequested { user, .. }
            | Task::DataExported { user, .. }
            | Task::SessionEnded { user, .. }
            | Task::DeviceRemembered { user, .. }
            | Task::OperatorActed { user, .. }
            | Task::FactorsThrottled { user, .. }
            | Task::BackupCodeUsed { user, .. } => self.deliver_notice(job, user, None).await,
        }
    }

    async fn mail_now(self, job: &Job, user: &User, message: EmailMessage) -> Result<(), Failure> {
        let Ports { mailer, .. } = &self.service.ports;
        let cipher = self.service.record_cipher(user)?;
        let (to, locale) = (cipher.email(Field::Email, &user.person.email)?, cipher.locale(&user.person)?);
        let envelope = match &message {
            EmailMessage::ResetPassword { .. }
            | EmailMessage::ResetRequired { .. }
            | EmailMessage::EnrolmentCode { .. }
            | EmailMessage::Invitation { .. } => envelope_of_try(job, user.id, locale),
            _ => envelope(job, user.id, locale),
        };
        mailer.send(&envelope, &to, &message).await?;
        self.service.record(&user.realm, EventKind::MessageSent, Some(user.id), None);
        Ok(())
    }
}

fn envelope(job: &Job, subject: UserId, locale: Locale) -> Envelope {
    Envelope { realm: job.realm.clone(), subject, job: job.id, part: 0, locale }
}

/// The envelope of a message whose token is created again at every try. Each try is a separate message: a receiver that
/// drops duplicates must not keep the one whose link is no longer valid.
fn envelope_of_try(job: &Job, subject: UserId, locale: Locale) -> Envelope {
    Envelope { part: job.attempts, ..envelope(job, subject, locale) }
}
