//! Reset: whoever reads the account's mail sets a new password, and every session ends.

use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::Purpose;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

impl AuthService {
    /// Whether a reset link is good. Changes nothing.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_reset(&self, realm: &Realm, token: &str) -> Result<(), StoryError> {
        self.find_reset(realm, token).await.map(|_| ())
    }

    /// Sets a new password by a reset link.
    ///
    /// # Errors
    /// `InvalidToken`; `Invalid` for a password that is not acceptable, which leaves the link good; `Overloaded`.
    pub async fn reset_password(&self, realm: &Realm, token: &str, new: &str) -> Result<(), StoryError> {
        let Ports { one_time_tokens, sessions, registrations, clock, .. } = &self.ports;
        let (user, digest) = self.find_reset(realm, token).await?;
        let password = self.acceptable_password(&user, new).await?;
        let hash = self.hash_anew(password).await?;

        let used = one_time_tokens.consume(realm, Purpose::ResetPassword, &digest, clock.now()).await?;
        used.ok_or(StoryError::InvalidToken)?;
        let changed = self.change_credentials(user, Still::Anyone, &hash).await?;
        sessions.end_all(realm, &changed.id, None).await?;
        registrations.remove_all(realm, &changed.person.email_index).await?;
        self.record(realm, EventKind::PasswordReset, Some(changed.id), None);
        self.enqueue(realm, Task::PasswordChanged { user: changed.id, at: clock.now(), by_reset: true }).await
    }

    async fn find_reset(&self, realm: &Realm, token: &str) -> Result<(User, Digest), StoryError> {
        let Ports { one_time_tokens, users, clock, .. } = &self.ports;
        let token = OpaqueToken::parse(token).ok_or(StoryError::InvalidToken)?;
        let digest = self.token_digest(realm, Purpose::ResetPassword, &token);
        let found = one_time_tokens.peek(realm, Purpose::ResetPassword, &digest, clock.now()).await?;
        let found = found.ok_or(StoryError::InvalidToken)?;
        let user = users.find(realm, &found.holder.subject).await?;
        // a link mailed to an address that is not the account's any more is worth nothing
        let user = user.filter(|user| !user.disabled && found.binding == Some(user.person.email_index));
        Ok((user.ok_or(StoryError::InvalidToken)?, digest))
    }
}
