//! The mails that tell an owner what happened. Those of a change carry its undo link.

use std::time::Duration;

use super::budget::CausedMail;
use super::{Failure, envelope, envelope_of_try};
use crate::model::email::Email;
use crate::model::event::EventKind;
use crate::model::ids::{UndoId, UserId};
use crate::model::job::{Job, Task};
use crate::model::locale::Locale;
use crate::model::message::{EmailMessage, UndoLink};
use crate::model::sealed::{Digest, Field, Sealed, WrappedKey};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::undo::UndoRecord;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::mailer::Envelope;
use crate::service::Ports;
use crate::use_cases::deliver::Deliveries;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// How long the notice of a deletion is tried.
const DELETION_NOTICE_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// An undo link, and the address on record before its change: no other address gets the link.
struct Undoable {
    to: Email,
    link: UndoLink,
}

impl Deliveries<'_> {
    /// To the address that counts no more; then it is forgotten.
    pub(super) async fn deliver_to_old_address(
        self,
        job: &Job,
        id: &UserId,
        at: Timestamp,
        undo: Option<&UndoId>,
    ) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.service.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let opener = self.service.record_cipher(&user)?;
        let first_name = opener.first_name(&user.person)?;
        let previous = user.previous_email.clone();
        let previous_address =
            previous.as_ref().map(|sealed| opener.email(Field::PreviousEmail, sealed)).transpose()?;
        let undoable = self.new_undo_link(job, &user, undo).await?;
        let (to, link) = match (undoable, previous_address.clone()) {
            (Some(Undoable { to, link }), _) => (to, Some(link)),
            (None, Some(to)) => (to, None),
            (None, None) => return Ok(()),
        };
        let told_previous = previous_address.is_some_and(|previous| previous == to);
        let message = EmailMessage::EmailChanged { first_name, at, undo: link };
        let locale = opener.locale(&user.person)?;
        mailer.send(&envelope_of_try(job, user.id, locale), &to, &message).await?;
        self.service.record(&job.realm, EventKind::MessageSent, Some(user.id), None);
        if !told_previous {
            return Ok(());
        }
        let change = |user: &mut User| {
            if user.previous_email == previous {
                user.previous_email = None;
            }
            Ok(())
        };
        self.service.update_account(user, VersionCheck::Ignore, change, |_| UnitOfWork::default()).await?;
        Ok(())
    }

    pub(super) async fn deliver_notice(self, job: &Job, id: &UserId, undo: Option<&UndoId>) -> Result<(), Failure> {
        let Ports { users, mailer, .. } = &self.service.ports;
        let Some(user) = users.find(&job.realm, id).await? else { return Ok(()) };
        let cipher = self.service.record_cipher(&user)?;
        let (first_name, locale) = (cipher.first_name(&user.person)?, cipher.locale(&user.person)?);
        let notice = |undo: Option<UndoLink>| {
            let first_name = first_name.clone();
            match job.task {
                Task::PasswordChanged { at, by_reset, .. } => {
                    EmailMessage::PasswordChanged { first_name, at, by_reset, undo }
                }
                Task::EmailChangeRequested { at, .. } => EmailMessage::EmailChangeRequested { first_name, at },
                Task::DataExported { at, .. } => EmailMessage::DataExported { first_name, at },
                Task::SessionEnded { at, .. } => EmailMessage::SessionEnded { first_name, at },
                Task::DeviceRemembered { at, .. } => EmailMessage::DeviceRemembered { first_name, at },
                Task::OperatorActed { at, action, .. } => EmailMessage::OperatorActed { first_name, at, action },
                Task::FactorsThrottled { at, .. } => EmailMessage::FactorsThrottled { first_name, at },
                Task::PhoneChanged { at, .. } => EmailMessage::PhoneChanged { first_name, at, undo },
                Task::MfaChanged { at, factor, enabled, .. } => {
                    EmailMessage::MfaChanged { first_name, at, factor, enabled, undo }
                }
                Task::FactorsReset { at, .. } => EmailMessage::FactorsReset { first_name, at, undo },
                Task::BackupCodeUsed { at, left, .. } => EmailMessage::BackupCodeUsed { first_name, at, left },
                _ => EmailMessage::Welcome { first_name },
            }
        };
        // a warning is never held back by a quota: it is what an owner has against a thief
        match self.new_undo_link(job, &user, undo).await? {
            Some(Undoable { to, link }) => {
                mailer.send(&envelope_of_try(job, user.id, locale.clone()), &to, &notice(Some(link))).await?;
                self.service.record(&user.realm, EventKind::MessageSent, Some(user.id), None);
            }
            None => self.mail_now(job, &user, notice(None)).await?,
        }
        // nor does it go to a new address only, while the old one has yet to be notified of the change
        let Some(previous) = &user.previous_email else { return Ok(()) };
        let to = self.service.record_cipher(&user)?.email(Field::PreviousEmail, previous)?;
        // past the numbers of the tries
        let part = u32::MAX;
        mailer.send(&Envelope { part, ..envelope(job, user.id, locale) }, &to, &notice(None)).await?;
        Ok(())
    }

    /// To the address of a deleted account, within a day: then the job and the key in it go, delivered or not.
    pub(super) async fn deliver_deletion(
        self,
        job: &Job,
        id: &UserId,
        at: Timestamp,
        (key, address): (&WrappedKey, &Sealed),
    ) -> Result<(), Failure> {
        let Ports { mailer, clock, .. } = &self.service.ports;
        if clock.now() >= job.created_at + DELETION_NOTICE_LIFETIME {
            return Ok(());
        }
        let sealed = self.service.opener(&job.realm, job.id.as_bytes(), key)?.open(Field::Email, address)?;
        // jobs of older versions have the address alone
        let (to, locale) = sealed.split_once('\n').unwrap_or((&sealed, ""));
        let (to, locale) = (Email::from_stored(to.to_owned()), Locale::parse(locale).unwrap_or_default());
        // under the job's id: copies of messages about the account may be on their way out at this moment
        let subject = UserId::from_bytes(*job.id.as_bytes());
        mailer.send(&envelope(job, subject, locale), &to, &EmailMessage::AccountDeleted { at }).await?;
        self.service.record(&job.realm, EventKind::MessageSent, Some(*id), None);
        Ok(())
    }

    /// A fresh link for the record of a change; an earlier try's link is dead. `None` if the record has expired or was
    /// used.
    async fn new_undo_link(self, job: &Job, user: &User, undo: Option<&UndoId>) -> Result<Option<Undoable>, AuthError> {
        let Ports { undos, database, clock, randomness, .. } = &self.service.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(id) = undo else { return Ok(None) };
        let record = undos.find(realm, id, now).await?.filter(|record| !record.used && record.user == user.id);
        let Some(record) = record else { return Ok(None) };
        let token = OpaqueToken::random(|bytes| randomness.fill(bytes));
        let digest = *self.service.undo_digest(realm, &token).newest();
        let change = Change::SetUndoToken { realm: realm.clone(), id: record.id, token: digest, now };
        if database.commit(UnitOfWork::of(change)).await?.is_err() {
            return Ok(None);
        }
        let to = Email::from_stored(self.service.former_state(user, &record)?.email);
        Ok(Some(Undoable { to, link: UndoLink { token, expires_in: record.expires_at.since(now) } }))
    }

    /// Notifies the owner of an address that another person has registered it. For a reserved former address the
    /// mail goes there: its reader may be the owner.
    pub(super) async fn tell_holder(
        self,
        job: &Job,
        owner: &User,
        reservation: Option<&UndoRecord>,
        network: Option<Digest>,
    ) -> Result<(), Failure> {
        let first_name = self.service.record_cipher(owner)?.first_name(&owner.person)?;
        let message = EmailMessage::AlreadyRegistered { first_name };
        let address = reservation.and_then(|record| record.reserved).unwrap_or(owner.person.email_index);
        let (kind, subject) = (message.template(), owner.id.as_bytes());
        if !self.may_mail(job, CausedMail { kind, subject, address: &address, network }, None).await? {
            return Ok(());
        }
        let Some(record) = reservation else { return self.mail_now(job, owner, message).await };
        let to = Email::from_stored(self.service.former_state(owner, record)?.email);
        let locale = self.service.record_cipher(owner)?.locale(&owner.person)?;
        self.service.ports.mailer.send(&envelope(job, owner.id, locale), &to, &message).await?;
        self.service.record(&job.realm, EventKind::MessageSent, Some(owner.id), None);
        Ok(())
    }
}
