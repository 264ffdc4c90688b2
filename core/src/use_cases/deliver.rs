//! Deliver: the worker's story. It takes a job, loads and opens what the job names, makes the token, sends, and
//! forgets. At least once; a job that cannot succeed becomes a dead letter.

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::ids::{JobId, UserId};
use crate::model::job::{Job, MAX_ATTEMPTS, Task, backoff};
use crate::model::message::{Channel, EmailMessage, TextMessage};
use crate::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::quota::Bucket;
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, Field};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::user::{Registration, User};
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::ports::mailer::{Envelope, SendError};
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;

/// How long a worker may take for one job before another one takes it up.
pub const LEASE: Duration = Duration::from_secs(120);

/// What became of a job.
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
}

/// Why a job did not succeed.
enum Failure {
    Later(String),
    Never(String),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Later(reason) => Self::Later(reason),
            SendError::Never(reason) => Self::Never(reason),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<StoryError> for Failure {
    fn from(error: StoryError) -> Self {
        Self::Later(error.to_string())
    }
}

impl AuthService {
    /// Takes one job that is due and does it.
    ///
    /// # Errors
    /// When the queue itself fails.
    pub async fn deliver_next(&self) -> Result<Delivery, StoryError> {
        let Ports { jobs, clock, .. } = &self.ports;
        let Some(job) = jobs.claim(clock.now(), LEASE).await? else { return Ok(Delivery::Idle) };
        match self.perform(&job).await {
            Ok(()) => {
                jobs.complete(&job.id).await?;
                Ok(Delivery::Done(job.id))
            }
            Err(Failure::Later(reason)) if job.attempts < MAX_ATTEMPTS => {
                jobs.retry_at(&job.id, clock.now() + backoff(job.attempts)).await?;
                Ok(Delivery::Later(job.id, reason))
            }
            Err(Failure::Later(reason) | Failure::Never(reason)) => {
                jobs.bury(&job.id, &reason, clock.now()).await?;
                self.record(&job.realm, EventKind::MessageDead, None, None);
                Ok(Delivery::Dead(job.id, reason))
            }
        }
    }

    async fn perform(&self, job: &Job) -> Result<(), Failure> {
        match &job.task {
            Task::VerifyRegistration(id) => self.deliver_verification(job, id).await,
            Task::ResendVerification(email) => self.deliver_again(job, email).await,
            Task::ResetPassword(email) => self.deliver_reset(job, email).await,
            Task::ConfirmEmailChange(user) => self.deliver_confirmation(job, user).await,
            Task::EmailChanged { user, at } => self.deliver_to_old_address(job, user, *at).await,
            Task::SendOtp { user, purpose, challenge, channel } => {
                self.deliver_otp(job, user, *purpose, challenge, *channel).await
            }
            Task::Welcome(user)
            | Task::PasswordChanged { user, .. }
            | Task::EmailChangeRequested { user, .. }
            | Task::MfaChanged { user, .. } => self.deliver_notice(job, user).await,
        }
    }

    /// The link and code of a registration; or, if the address has an account, a word to its owner.
    async fn deliver_verification(&self, job: &Job, id: &UserId) -> Result<(), Failure> {
        let Ports { users, registrations, clock, .. } = &self.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(registration) = registrations.find(realm, id, now).await? else { return Ok(()) };
        if let Some(owner) = users.find_by_email(realm, &registration.person.email_index).await? {
            registrations.remove(realm, id).await?;
            let first_name = self.opener_of(&owner)?.first_name(&owner.person)?;
            return self.mail(job, &owner, EmailMessage::AlreadyRegistered { first_name }).await;
        }
        if !self.may_mail(job, id.as_bytes(), &registration.person.email_index).await? {
            return Ok(());
        }
        self.mail_verification(job, &registration).await
    }

    async fn mail_verification(&self, job: &Job, registration: &Registration) -> Result<(), Failure> {
        let Ports { registrations, one_time_tokens, mailer, clock, randomness, .. } = &self.ports;
        let (realm, now, lifetime) = (&job.realm, clock.now(), self.policy.lifetimes.verify);
        let (purpose, id) = (Purpose::VerifyEmail, registration.id);
        let (token, code) = (OpaqueToken::random(&**randomness), TypedCode::letters(&**randomness));
        let expires_at = now + lifetime;
        one_time_tokens
            .put(OneTimeToken {
                holder: Self::holder(realm, purpose, id),
                token: self.token_digest(realm, purpose, &token),
                code: Some(self.code_digest(realm, purpose, &id, &code)),
                tries_left: CODE_TRIES,
                binding: Some(registration.person.email_index),
                created_at: now,
                expires_at,
            })
            .await?;
        registrations.extend(realm, &id, expires_at, now).await?;
        let opener = self.opener(realm, id.as_bytes(), &registration.person.key)?;
        let to = opener.email(Field::Email, &registration.person.email)?;
        let first_name = opener.first_name(&registration.person)?;
        let message = EmailMessage::VerifyEmail { first_name, token, code, expires_in: lifetime };
        mailer.send(&envelope(job, id), &to, &message).await?;
        self.record(realm, EventKind::MessageSent, Some(id), None);
        Ok(())
    }

    /// A job of its own for each pending registration, so that each is retried by itself.
    async fn deliver_again(&self, job: &Job, email: &Digest) -> Result<(), Failure> {
        let Ports { registrations, clock, .. } = &self.ports;
        for registration in registrations.find_by_email(&job.realm, email, clock.now()).await? {
            self.enqueue(&job.realm, Task::VerifyRegistration(registration.id)).await?;
        }
        Ok(())
    }

    async fn deliver_reset(&self, job: &Job, email: &Digest) -> Result<(), Failure> {
        let Ports { users, .. } = &self.ports;
        let Some(user) = users.find_by_email(&job.realm, email).await? else { return Ok(()) };
        if user.disabled || !self.may_mail(job, user.id.as_bytes(), email).await? {
            return Ok(());
        }
        let expires_in = self.policy.lifetimes.reset;
        let token = self.new_link(&user, Purpose::ResetPassword, *email, expires_in).await?;
        let first_name = self.opener_of(&user)?.first_name(&user.person)?;
        self.record(&job.realm, EventKind::ResetRequested, Some(user.id), None);
        self.mail_now(job, &user, EmailMessage::ResetPassword { first_name, token, expires_in }).await
    }

    /// To the new address, unless it has an account: then its owner is told instead.
    async fn deliver_confirmation(&self, job: &Job, id: &UserId) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.ports;
        let realm = &job.realm;
        let Some(user) = users.find(realm, id).await? else { return Ok(()) };
        let Some(pending) = user.pending_email.clone() else { return Ok(()) };
        let owner = users.find_by_email(realm, &pending.index).await?.filter(|owner| owner.id != user.id);
        if let Some(owner) = owner {
            let first_name = self.opener_of(&owner)?.first_name(&owner.person)?;
            return self.mail(job, &owner, EmailMessage::AlreadyRegistered { first_name }).await;
        }
        if !self.may_mail(job, id.as_bytes(), &pending.index).await? {
            return Ok(());
        }
        let expires_in = self.policy.lifetimes.verify;
        let token = self.new_link(&user, Purpose::ChangeEmail, pending.index, expires_in).await?;
        let opener = self.opener_of(&user)?;
        let to = opener.email(Field::PendingEmail, &pending.email)?;
        let first_name = opener.first_name(&user.person)?;
        let message = EmailMessage::ConfirmEmailChange { first_name, token, expires_in };
        mailer.send(&envelope(job, user.id), &to, &message).await?;
        self.record(realm, EventKind::MessageSent, Some(user.id), None);
        Ok(())
    }

    /// To the address that counts no more; then it is forgotten.
    async fn deliver_to_old_address(&self, job: &Job, id: &UserId, at: Timestamp) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let Some(previous) = user.previous_email.clone() else { return Ok(()) };
        let opener = self.opener_of(&user)?;
        let to = opener.email(Field::PreviousEmail, &previous)?;
        let first_name = opener.first_name(&user.person)?;
        mailer.send(&envelope(job, user.id), &to, &EmailMessage::EmailChanged { first_name, at }).await?;
        self.record(&job.realm, EventKind::MessageSent, Some(user.id), None);
        self.change_user(user, |user| {
            if user.previous_email.as_ref() == Some(&previous) {
                user.previous_email = None;
            }
        })
        .await?;
        Ok(())
    }

    async fn deliver_notice(&self, job: &Job, id: &UserId) -> Result<(), Failure> {
        let Ports { users, .. } = &self.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let first_name = self.opener_of(&user)?.first_name(&user.person)?;
        let message = match job.task {
            Task::PasswordChanged { at, by_reset, .. } => EmailMessage::PasswordChanged { first_name, at, by_reset },
            Task::EmailChangeRequested { at, .. } => EmailMessage::EmailChangeRequested { first_name, at },
            Task::MfaChanged { at, enabled, .. } => EmailMessage::MfaChanged { first_name, at, enabled },
            _ => EmailMessage::Welcome { first_name },
        };
        // a warning is never held back by a quota: it is what an owner has against a thief
        self.mail_now(job, &user, message).await
    }

    /// The code of a challenge: made here, kept as a digest, sent to the number on record.
    async fn deliver_otp(
        &self,
        job: &Job,
        id: &UserId,
        purpose: Purpose,
        challenge: &Digest,
        channel: Channel,
    ) -> Result<(), Failure> {
        let Ports { users, one_time_tokens, texter, clock, randomness, .. } = &self.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(user) = users.find(realm, id).await? else { return Ok(()) };
        let holder = Self::holder(realm, purpose, *id);
        let waiting = one_time_tokens.find(&holder, now).await?.filter(|token| token.token.matches(challenge));
        let Some(waiting) = waiting else { return Ok(()) };
        if !self.sent_to(&user, &waiting)? {
            return Ok(());
        }
        let code = TypedCode::digits(&**randomness);
        let digest = self.code_digest(realm, purpose, id, &code);
        if !one_time_tokens.arm(&holder, challenge, digest, CODE_TRIES, now).await? {
            return Ok(());
        }
        let phone = self.opener_of(&user)?.phone(&user.person)?;
        let expires_in = waiting.expires_at.since(now);
        let message = TextMessage { for_login: purpose == Purpose::LoginMfa, code, expires_in };
        texter.send(&envelope(job, user.id), &phone, channel, &message).await?;
        self.record(realm, EventKind::OtpRequested, Some(user.id), None);
        Ok(())
    }

    /// A fresh link of a user's; the older one of its kind is dead.
    async fn new_link(
        &self,
        user: &User,
        purpose: Purpose,
        binding: Digest,
        lifetime: Duration,
    ) -> Result<OpaqueToken, PortError> {
        let Ports { one_time_tokens, clock, randomness, .. } = &self.ports;
        let (realm, now) = (&user.realm, clock.now());
        let token = OpaqueToken::random(&**randomness);
        one_time_tokens
            .put(OneTimeToken {
                holder: Self::holder(realm, purpose, user.id),
                token: self.token_digest(realm, purpose, &token),
                code: None,
                tries_left: 0,
                binding: Some(binding),
                created_at: now,
                expires_at: now + lifetime,
            })
            .await?;
        Ok(token)
    }

    /// To a user's address, within the quotas.
    async fn mail(&self, job: &Job, user: &User, message: EmailMessage) -> Result<(), Failure> {
        if self.may_mail(job, user.id.as_bytes(), &user.person.email_index).await? {
            self.mail_now(job, user, message).await?;
        }
        Ok(())
    }

    async fn mail_now(&self, job: &Job, user: &User, message: EmailMessage) -> Result<(), Failure> {
        let Ports { mailer, .. } = &self.ports;
        let to = self.opener_of(user)?.email(Field::Email, &user.person.email)?;
        mailer.send(&envelope(job, user.id), &to, &message).await?;
        self.record(&user.realm, EventKind::MessageSent, Some(user.id), None);
        Ok(())
    }

    /// Whether an address may get this mail now. A retry has been counted already.
    async fn may_mail(&self, job: &Job, subject: &[u8; 16], address: &Digest) -> Result<bool, Failure> {
        if job.attempts > 1 {
            return Ok(true);
        }
        let (realm, quotas) = (&job.realm, &self.policy.mail);
        let of_a_kind = self.mail_bucket(realm, "mail_of_a_kind", &[job.task.kind().as_bytes(), subject]);
        let to_an_address = self.mail_bucket(realm, "mail_to_an_address", &[address.as_bytes()]);
        for (bucket, quota) in [(of_a_kind, &quotas.of_a_kind), (to_an_address, &quotas.to_an_address)] {
            if self.take(&bucket, quota).await?.is_some_and(|decision| !decision.allowed) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn mail_bucket(&self, realm: &Realm, operation: &'static str, parts: &[&[u8]]) -> Bucket {
        let who = self.ports.digests.digest(Domain::MailQuota, realm, parts);
        Bucket { realm: realm.clone(), operation, who }
    }
}

fn envelope(job: &Job, subject: UserId) -> Envelope {
    Envelope { realm: job.realm.clone(), subject, job: job.id, part: 0 }
}
