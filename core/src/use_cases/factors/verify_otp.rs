//! Verify an OTP: the phone on record answered.

use crate::model::event::EventKind;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::Ports;
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

impl Factors<'_> {
    /// Answers a challenge; the phone on record is proven.
    ///
    /// # Errors
    /// `InvalidToken` for whatever is not the right code of a living challenge, or if the number has changed since.
    pub async fn verify_otp(self, realm: &Realm, token: &str, otp: &str) -> Result<(), AuthError> {
        let Ports { users, .. } = &self.service.ports;
        let token = self.service.try_otp(realm, Purpose::VerifyPhone, (token, otp), None).await?;
        let user = users.find(realm, &token.holder.subject).await?.ok_or(AuthError::InvalidToken)?;
        if user.disabled || !self.service.sent_to(&user, &token)? {
            return Err(AuthError::InvalidToken);
        }
        // only while the number is the very one that was sealed then
        let phone = user.person.phone.clone();
        let change = |user: &mut User| {
            user.phone_verified |= user.person.phone == phone;
            Ok(())
        };
        let effects = |user: &User| UnitOfWork {
            events: vec![self.service.event(realm, EventKind::PhoneVerified, Some(user.id), None)],
            ..UnitOfWork::of(self.service.use_up(&token))
        };
        let done = self.service.update_account(user, VersionCheck::MustMatch, change, effects).await;
        let done = done.map_err(|error| match error {
            AuthError::NotAuthenticated => AuthError::InvalidToken,
            error => error,
        })?;
        self.service.refund_unanswered_quota(&done.user).await?;
        Ok(())
    }
}
