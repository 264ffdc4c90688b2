//! Send an OTP: prove the phone on record. Every caller gets a challenge that looks the same; only the number on
//! record of a real account is ever sent anything. The work is the same too: one write, one job.

use crate::model::code::Violation;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::message::Channel;
use crate::model::one_time_token::Purpose;
use crate::model::phone::{Phone, PhoneValidation};
use crate::model::realm::Realm;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::errors::AuthError;

impl Factors<'_> {
    /// Makes a challenge, and has its code sent if `phone` is the number on record of `id`.
    ///
    /// # Errors
    /// `Invalid` for text that is no international number, and for a number of a country that is not served; when a port
    /// fails.
    pub async fn send_otp(
        self,
        realm: &Realm,
        id: &str,
        phone: &str,
        channel: Channel,
    ) -> Result<OpaqueToken, AuthError> {
        let Ports { randomness, .. } = &self.service.ports;
        let decoy = UserId::random(|bytes| randomness.fill(bytes));
        let parsed = Phone::parse_international(phone, PhoneValidation::E164);
        let asked = parsed.map_err(|error| AuthError::Invalid(vec![Violation::new("phone", error.code())]))?;
        let asked = asked.as_str();
        self.service.ensure_sms_country_allowed(asked)?;
        // a stranger who names the wrong number gets a holder of their own, so that the owner's challenge lives on
        let owner = self.owner_of(realm, id, asked).await?;
        let (subject, version) = owner.map_or((decoy, 0), |owner| (owner.id, owner.credentials_version));

        let purpose = Purpose::VerifyPhone;
        let binding = *self.service.token_binding(realm, purpose, asked.as_bytes(), version).newest();
        let holder = AuthService::holder(realm, purpose, subject);
        let lifetime = self.service.policy.lifetimes.otp;
        let (token, stored) = self.service.new_one_time_token(holder, Some(binding), lifetime);
        let task = Task::SendOtp { user: subject, purpose, challenge: stored.token, channel };
        let jobs = vec![self.service.job(realm, task)];
        self.service.commit(UnitOfWork { jobs, ..UnitOfWork::of(Change::PutToken(Box::new(stored))) }).await?;
        Ok(token)
    }

    /// The user of that id, if that is their number.
    async fn owner_of(self, realm: &Realm, id: &str, phone: &str) -> Result<Option<User>, AuthError> {
        let Ports { users, .. } = &self.service.ports;
        let Some(id) = UserId::parse(id) else { return Ok(None) };
        let Some(user) = users.find(realm, &id).await? else { return Ok(None) };
        let on_record = self.service.record_cipher(&user)?.phone(&user.person)?;
        Ok((on_record.as_str() == phone && !user.disabled).then_some(user))
    }
}
