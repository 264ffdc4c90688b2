//! The texts and calls with a code.

use super::{Failure, envelope};
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Job;
use crate::model::message::{Channel, SmsMessage};
use crate::model::one_time_token::{CODE_TRIES, Purpose};
use crate::model::otp::TypedCode;
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
        let Ports { database, users, one_time_tokens, sms_sender, clock, randomness, .. } = &self.service.ports;
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
        let code = TypedCode::digits(|bytes| randomness.fill(bytes));
        let digest = *self.service.code_digest(realm, purpose, id, &code).newest();
        let owner = holder;
        let set_code = Change::SetCode { owner, token: *challenge, code: digest, tries: CODE_TRIES, now };
        if database.commit(UnitOfWork::of(set_code)).await?.is_err() {
            return Ok(());
        }
        let expires_in = waiting.expires_at.since(now);
        let message = SmsMessage { for_login: purpose != Purpose::VerifyPhone, code, expires_in };
        sms_sender.send(&envelope(job, user.id, locale), &phone, channel, &message).await?;
        self.service.record(realm, EventKind::OtpRequested, Some(user.id), None);
        Ok(())
    }
}
