//! Verify an OTP: the phone on record answered.

use crate::model::event::EventKind;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

impl AuthService {
    /// Answers a challenge; the phone on record is proven.
    ///
    /// # Errors
    /// `InvalidToken` for whatever is not the right code of a living challenge, or if the number has changed since.
    pub async fn verify_otp(&self, realm: &Realm, token: &str, otp: &str) -> Result<(), StoryError> {
        let Ports { users, .. } = &self.ports;
        let token = self.try_otp(realm, Purpose::VerifyPhone, token, otp).await?;
        let user = users.find(realm, &token.holder.subject).await?.ok_or(StoryError::InvalidToken)?;
        if user.disabled || !self.sent_to(&user, &token)? {
            return Err(StoryError::InvalidToken);
        }
        self.text_was_answered(&user).await?;
        // only while the number is the very one that was sealed then
        let phone = user.person.phone.clone();
        let changed =
            self.change_user(user, Still::Anyone, |user| user.phone_verified |= user.person.phone == phone).await?;
        self.record(realm, EventKind::PhoneVerified, Some(changed.id), None);
        Ok(())
    }
}
