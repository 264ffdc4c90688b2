//! The mails that tell an owner what happened.

use super::{Failure, envelope};
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::{Job, Task};
use crate::model::message::EmailMessage;
use crate::model::sealed::Field;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::ports::mailer::Envelope;
use crate::service::Ports;
use crate::use_cases::deliver::Deliveries;
use crate::use_cases::shared::commit::VersionCheck;

impl Deliveries<'_> {
    /// To the address that counts no more; then it is forgotten.
    pub(super) async fn deliver_to_old_address(self, job: &Job, id: &UserId, at: Timestamp) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.service.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let Some(previous) = user.previous_email.clone() else { return Ok(()) };
        let opener = self.service.record_cipher(&user)?;
        let to = opener.email(Field::PreviousEmail, &previous)?;
        let first_name = opener.first_name(&user.person)?;
        mailer.send(&envelope(job, user.id), &to, &EmailMessage::EmailChanged { first_name, at }).await?;
        self.service.record(&job.realm, EventKind::MessageSent, Some(user.id), None);
        let change = |user: &mut User| {
            if user.previous_email.as_ref() == Some(&previous) {
                user.previous_email = None;
            }
            Ok(())
        };
        self.service.update_account(user, VersionCheck::Ignore, change, |_| UnitOfWork::default()).await?;
        Ok(())
    }

    pub(super) async fn deliver_notice(self, job: &Job, id: &UserId) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.service.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let first_name = self.service.record_cipher(&user)?.first_name(&user.person)?;
        let message = match job.task {
            Task::PasswordChanged { at, by_reset, .. } => EmailMessage::PasswordChanged { first_name, at, by_reset },
            Task::EmailChangeRequested { at, .. } => EmailMessage::EmailChangeRequested { first_name, at },
            Task::PhoneChanged { at, .. } => EmailMessage::PhoneChanged { first_name, at },
            Task::MfaChanged { at, enabled, .. } => EmailMessage::MfaChanged { first_name, at, enabled },
            _ => EmailMessage::Welcome { first_name },
        };
        // a warning is never held back by a quota: it is what an owner has against a thief
        self.mail_now(job, &user, message.clone()).await?;
        // nor does it go to a new address only, while the old one has yet to be told of the change
        let Some(previous) = &user.previous_email else { return Ok(()) };
        let to = self.service.record_cipher(&user)?.email(Field::PreviousEmail, previous)?;
        mailer.send(&Envelope { part: 1, ..envelope(job, user.id) }, &to, &message).await?;
        Ok(())
    }
}
