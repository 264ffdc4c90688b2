//! Delete: nothing of the person stays that can be turned back into them. Their key goes with the account; what was
//! sealed with it and waits anywhere is noise from then on.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::About;
use crate::model::user::User;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;

impl AuthService {
    /// Deletes the caller's account. Stopped before the account is gone, the caller can ask again.
    ///
    /// # Errors
    /// `ReauthenticationRequired`, `WrongPassword`, `TooMany`, `Overloaded`.
    pub async fn delete_account(
        &self,
        caller: &Caller,
        password: Option<&str>,
        client: &Client,
    ) -> Result<(), StoryError> {
        let Ports { users, sessions, clock, .. } = &self.ports;
        let user = &caller.user;
        match password {
            Some(password) => self.confirm_password(user, password, client).await?,
            None if clock.now().since(caller.session.authenticated_at) <= self.policy.fresh_login => {}
            None => return Err(StoryError::ReauthenticationRequired),
        }
        let newest = users.find(&user.realm, &user.id).await?;
        if newest.is_none_or(|newest| newest.generation != user.generation) {
            return Err(StoryError::NotAuthenticated);
        }
        self.forget(user).await?;
        if !users.delete(&user.realm, &user.id).await? {
            return Err(StoryError::NotAuthenticated);
        }
        sessions.end_all(&user.realm, &user.id, None).await?;
        // whatever came in between the two
        self.forget(user).await?;
        self.record(&user.realm, EventKind::AccountDeleted, Some(user.id), None);
        Ok(())
    }

    /// Everything about a user that is not the user.
    async fn forget(&self, user: &User) -> Result<(), StoryError> {
        let Ports { one_time_tokens, registrations, jobs, guard, mailer, texter, .. } = &self.ports;
        let realm = &user.realm;
        one_time_tokens.remove_all(realm, &user.id).await?;
        jobs.forget(realm, &About::Subject(user.id)).await?;
        let waiting = user.pending_email.as_ref().map(|waiting| waiting.index);
        for index in [Some(user.person.email_index), waiting].into_iter().flatten() {
            jobs.forget(realm, &About::Address(index)).await?;
        }
        // an address that was never proven may be somebody else's: only their own registrations go
        for dead in registrations.remove_all(realm, &user.person.email_index).await? {
            one_time_tokens.remove_all(realm, &dead).await?;
            jobs.forget(realm, &About::Subject(dead)).await?;
            mailer.forget(realm, &dead).await;
        }
        guard.forget(realm, &user.person.email_index).await?;
        mailer.forget(realm, &user.id).await;
        texter.forget(realm, &user.id).await;
        Ok(())
    }
}
