//! The texts, calls and mails with the code of a challenge.

use super::{Failure, envelope};
use crate::model::country::Country;
use crate::model::event::EventKind;
use crate::model::ids::{UndoId, UserId};
use crate::model::job::Job;
use crate::model::locale::Locale;
use crate::model::message::{Channel, EmailMessage, SmsMessage};
use crate::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::phone::Phone;
use crate::model::sealed::Digest;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::deliver::Deliveries;

impl Deliveries<'_> {
    /// Makes the code of a challenge, stores its digest, and sends it to the number on record.
    pub(super) async fn deliver_otp(
        self,
        job: &Job,
        id: &UserId,
        purpose: Purpose,
        challenge: &Digest,
        channel: Channel,
    ) -> Result<(), Failure> {
        let Ports { users, one_time_tokens, clock, .. } = &self.service.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(user) = users.find(realm, id).await?.filter(|user| !user.disabled) else { return Ok(()) };
        let holder = AuthService::holder(realm, purpose, *id);
        let waiting = one_time_tokens.find(&holder, now).await?.filter(|token| token.token.matches(challenge));
        let Some(waiting) = waiting else { return Ok(()) };
        // at its first try: another job has sent the code already
        let is_repetition = waiting.code.is_some() && job.attempts <= 1;
        if is_repetition || !self.service.sent_to(&user, &waiting)? {
            return Ok(());
        }
        let cipher = self.service.record_cipher(&user)?;
        let (phone, locale) = (cipher.phone(&user.person)?, cipher.locale(&user.person)?);
        if let Some(refusal) = self.service.check_sms_quota(&user, purpose, &phone, waiting.code.is_some()).await? {
            return Err(Failure::Held(refusal));
        }
        self.text_code(job, (*id, locale), &waiting, &phone, channel).await
    }

    /// Makes the code that proves the mailbox of an account, stores its digest, and mails it to the address on record.
    pub(super) async fn deliver_enrolment_code(
        self,
        job: &Job,
        id: &UserId,
        challenge: &Digest,
    ) -> Result<(), Failure> {
        let Ports { users, one_time_tokens, database, clock, randomness, .. } = &self.service.ports;
        let (realm, now, owner) =
            (&job.realm, clock.now(), AuthService::holder(&job.realm, Purpose::EnrolmentCode, *id));
        let Some(user) = users.find(realm, id).await?.filter(|user| !user.disabled) else { return Ok(()) };
        let waiting = one_time_tokens.find(&owner, now).await?.filter(|token| token.token.matches(challenge));
        let is_bound =
            |token: &OneTimeToken| self.service.is_bound_to(token, &user.person.email_index, user.credentials_version);
        let Some(waiting) = waiting.filter(is_bound) else { return Ok(()) };
        if !self.may_mail_enrolment_code(job, &user).await? {
            return Ok(());
        }
        let code = TypedCode::letters(|bytes| randomness.fill(bytes));
        let digest = *self.service.code_digest(realm, owner.purpose, id, &code).newest();
        let set_code = Change::SetCode { owner, token: waiting.token, code: digest, tries: CODE_TRIES, now };
        if database.commit(UnitOfWork::of(set_code)).await?.is_err() {
            return Ok(());
        }
        let first_name = self.service.record_cipher(&user)?.first_name(&user.person)?;
        let message = EmailMessage::EnrolmentCode { first_name, code, expires_in: waiting.expires_at.since(now) };
        self.mail_now(job, &user, message).await
    }

    /// The code of an undo link's challenge: to the phone that was on record before the change.
    pub(super) async fn deliver_undo_code(
        self,
        job: &Job,
        id: &UserId,
        record: &UndoId,
        challenge: &Digest,
    ) -> Result<(), Failure> {
        let Ports { users, undos, one_time_tokens, clock, .. } = &self.service.ports;
        let (realm, now) = (&job.realm, clock.now());
        let Some(user) = users.find(realm, id).await? else { return Ok(()) };
        let record = undos.find(realm, record, now).await?.filter(|record| !record.used && record.user == user.id);
        let Some(record) = record else { return Ok(()) };
        let waiting = one_time_tokens.find(&AuthService::undo_challenge_owner(&record), now).await?;
        let Some(waiting) = waiting.filter(|token| token.token.matches(challenge)) else { return Ok(()) };
        let former = self.service.former_state(&user, &record)?;
        let locale = self.service.record_cipher(&user)?.locale(&user.person)?;
        let Ok(country) = Country::parse(&former.country) else { return Ok(()) };
        let phone = Phone::from_stored(former.phone, country);
        if let Some(refusal) = self.service.check_undo_sms_quota(&record, &phone, waiting.code.is_some()).await? {
            return Err(Failure::Held(refusal));
        }
        self.text_code(job, (user.id, locale), &waiting, &phone, Channel::Sms).await
    }

    /// Makes the code of a challenge, stores it and sends it.
    async fn text_code(
        self,
        job: &Job,
        (user, locale): (UserId, Locale),
        waiting: &OneTimeToken,
        phone: &Phone,
        channel: Channel,
    ) -> Result<(), Failure> {
        let Ports { database, sms_sender, clock, randomness, .. } = &self.service.ports;
        let (realm, now, owner) = (&job.realm, clock.now(), waiting.holder.clone());
        let purpose = owner.purpose;
        let code = TypedCode::digits(|bytes| randomness.fill(bytes));
        let digest = *self.service.code_digest(realm, purpose, &owner.subject, &code).newest();
        let set_code = Change::SetCode { owner, token: waiting.token, code: digest, tries: CODE_TRIES, now };
        if database.commit(UnitOfWork::of(set_code)).await?.is_err() {
            return Ok(());
        }
        let expires_in = waiting.expires_at.since(now);
        let message = SmsMessage { for_login: purpose != Purpose::VerifyPhone, code, expires_in };
        sms_sender.send(&envelope(job, user, locale), phone, channel, &message).await?;
        self.service.record(realm, EventKind::OtpRequested, Some(user), None);
        Ok(())
    }
}
