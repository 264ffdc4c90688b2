//! The mails of registrations: link and code, or a word to the owner of an address that has an account.

use super::budget::CausedMail;
use super::{Failure, envelope_of_try};
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::{Job, Task};
use crate::model::message::EmailMessage;
use crate::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::sealed::{Digest, Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::user::Registration;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::deliver::Deliveries;

impl Deliveries<'_> {
    /// The link and code of a registration; or, if the address has an account, a word to its owner.
    /// Counted in the budget of the network that asked, or of the one that registered.
    pub(super) async fn deliver_verification(
        self,
        job: &Job,
        id: &UserId,
        network: Option<Digest>,
    ) -> Result<(), Failure> {
        let Ports { registrations, clock, .. } = &self.service.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(registration) = registrations.find(realm, id, now).await? else { return Ok(()) };
        let network = network.or(Some(registration.network));
        let holder = self.service.find_holder(realm, &registration.person.email_index).await?;
        if let Some((owner, reservation)) = holder {
            // the registration stays until it expires: a login with its password answers as for any other
            return self.tell_holder(job, &owner, reservation.as_ref(), network).await;
        }
        let address = &registration.person.email_index;
        let mail = CausedMail { kind: "mail_email_verify", subject: id.as_bytes(), address, network };
        if !self.may_mail(job, mail, Some(Task::VerifyNewest(*address))).await? {
            return Ok(());
        }
        self.mail_verification(job, &registration).await
    }

    async fn mail_verification(self, job: &Job, registration: &Registration) -> Result<(), Failure> {
        let Ports { mailer, clock, randomness, .. } = &self.service.ports;
        let (realm, now, expires_at) = (&job.realm, clock.now(), registration.expires_at);
        let (purpose, id) = (Purpose::VerifyEmail, registration.id);
        let (token, code) =
            (OpaqueToken::random(|bytes| randomness.fill(bytes)), TypedCode::letters(|bytes| randomness.fill(bytes)));
        let stored = OneTimeToken {
            holder: AuthService::holder(realm, purpose, id),
            token: *self.service.token_digest(realm, purpose, &token).newest(),
            code: Some(*self.service.code_digest(realm, purpose, &id, &code).newest()),
            tries_left: CODE_TRIES,
            binding: Some(*registration.person.email_index.newest()),
            created_at: now,
            expires_at,
        };
        self.service.commit(UnitOfWork::of(Change::PutToken(Box::new(stored)))).await?;
        let opener = self.service.opener(realm, id.as_bytes(), &registration.person.key)?;
        let to = opener.email(Field::Email, &registration.person.email)?;
        let message = EmailMessage::VerifyEmail { token, code, expires_in: expires_at.since(now) };
        let locale = opener.locale(&registration.person)?;
        mailer.send(&envelope_of_try(job, id, locale), &to, &message).await?;
        self.service.record(realm, EventKind::MessageSent, Some(id), None);
        Ok(())
    }

    /// Adds one job for each pending registration, so that each is retried separately.
    pub(super) async fn deliver_again(
        self,
        job: &Job,
        email: &RingDigest,
        network: Option<Digest>,
    ) -> Result<(), Failure> {
        let Ports { registrations, clock, .. } = &self.service.ports;
        for registration in registrations.find_by_email(&job.realm, email, clock.now()).await? {
            self.service.enqueue(&job.realm, Task::VerifyAgain { registration: registration.id, network }).await?;
        }
        Ok(())
    }

    /// The mail of the newest registration, for an address whose mails were spent. It counts for the address alone.
    pub(super) async fn deliver_newest(self, job: &Job, email: &RingDigest) -> Result<(), Failure> {
        let Ports { registrations, clock, .. } = &self.service.ports;
        let pending = registrations.find_by_email(&job.realm, email, clock.now()).await?;
        let Some(newest) = pending.last() else { return Ok(()) };
        if self.service.find_holder(&job.realm, email).await?.is_some() {
            return Ok(());
        }
        let mail =
            CausedMail { kind: "mail_email_verify", subject: newest.id.as_bytes(), address: email, network: None };
        if self.may_mail(job, mail, Some(Task::VerifyNewest(*email))).await? {
            self.mail_verification(job, newest).await?;
        }
        Ok(())
    }
}
