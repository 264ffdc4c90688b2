//! The mails that carry a right of an account: a reset link, the link of a new address.

use std::time::Duration;

use super::budget::CausedMail;
use super::{Failure, envelope_of_try};
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::{Job, Task};
use crate::model::message::EmailMessage;
use crate::model::one_time_token::Purpose;
use crate::model::sealed::{Digest, Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::deliver::Deliveries;
use crate::use_cases::shared::errors::AuthError;

impl Deliveries<'_> {
    pub(super) async fn deliver_reset(
        self,
        job: &Job,
        email: &RingDigest,
        network: Option<Digest>,
    ) -> Result<(), Failure> {
        let Some(user) = self.service.ports.users.find_by_email(&job.realm, email).await? else { return Ok(()) };
        let mail = CausedMail { kind: "mail_password_reset", subject: user.id.as_bytes(), address: email, network };
        let later = Task::ResetPassword { email: *email, network: None };
        if user.disabled || !self.may_mail(job, mail, Some(later)).await? {
            return Ok(());
        }
        self.mail_reset(job, &user).await
    }

    /// A reset that an undo or an operator has ordered. In no quota: a thief who has spent the address's mails does not
    /// keep the owner from the reset.
    pub(super) async fn deliver_ordered_reset(self, job: &Job, id: &UserId) -> Result<(), Failure> {
        match self.service.ports.users.find(&job.realm, id).await? {
            Some(user) if !user.disabled => self.mail_reset(job, &user).await,
            _ => Ok(()),
        }
    }

    async fn mail_reset(self, job: &Job, user: &User) -> Result<(), Failure> {
        let lifetimes = &self.service.policy.lifetimes;
        let expires_in = if matches!(job.task, Task::Invitation(_)) { lifetimes.verify } else { lifetimes.reset };
        let token = self.new_link(user, Purpose::ResetPassword, self.service.reset_binding(user), expires_in).await?;
        let first_name = self.service.record_cipher(user)?.first_name(&user.person)?;
        self.service.record(&job.realm, EventKind::ResetRequested, Some(user.id), None);
        let message = match job.task {
            Task::ResetRequired(_) => EmailMessage::ResetRequired { first_name, token, expires_in },
            Task::Invitation(_) => EmailMessage::Invitation { first_name, token, expires_in },
            _ => {
                let factors = self.service.listed_factors(user)?;
                EmailMessage::ResetPassword { first_name, token, expires_in, factors }
            }
        };
        self.mail_now(job, user, message).await
    }

    /// To the new address, unless it belongs to another account: then its owner gets a mail instead.
    pub(super) async fn deliver_confirmation(self, job: &Job, id: &UserId) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.service.ports;
        let realm = &job.realm;
        let Some(user) = users.find(realm, id).await?.filter(|user| !user.disabled) else { return Ok(()) };
        let Some(pending) = user.pending_email.clone() else { return Ok(()) };
        let holder = self.service.find_holder(realm, &pending.index).await?;
        if let Some((owner, reservation)) = holder.filter(|(owner, _)| owner.id != user.id) {
            return self.tell_holder(job, &owner, reservation.as_ref(), None).await;
        }
        let (address, subject) = (&pending.index, pending.index.newest().as_bytes());
        let mail = CausedMail { kind: "email_change_confirm", subject, address, network: None };
        if !self.may_mail(job, mail, Some(Task::ConfirmEmailChange(*id))).await? {
            return Ok(());
        }
        let expires_in = self.service.policy.lifetimes.verify;
        let version = user.credentials_version;
        let binding = self.service.address_binding(realm, Purpose::ChangeEmail, &pending.index, version);
        let token = self.new_link(&user, Purpose::ChangeEmail, binding, expires_in).await?;
        let opener = self.service.record_cipher(&user)?;
        let to = opener.email(Field::PendingEmail, &pending.email)?;
        let message = EmailMessage::ConfirmEmailChange { token, expires_in };
        let locale = opener.locale(&user.person)?;
        mailer.send(&envelope_of_try(job, user.id, locale), &to, &message).await?;
        self.service.record(realm, EventKind::MessageSent, Some(user.id), None);
        Ok(())
    }

    /// A fresh link of a user's; the older one of its kind is dead.
    async fn new_link(
        self,
        user: &User,
        purpose: Purpose,
        binding: Digest,
        lifetime: Duration,
    ) -> Result<OpaqueToken, AuthError> {
        let holder = AuthService::holder(&user.realm, purpose, user.id);
        let (token, stored) = self.service.new_one_time_token(holder, Some(binding), lifetime);
        self.service.commit(UnitOfWork::of(Change::PutToken(Box::new(stored)))).await?;
        Ok(token)
    }
}
