//! Disable and enable: an operator's word about an account. A disabled one answers as one that is not there, keeps its
//! address, and has no token of any kind; what it is enabled with is its password, and nothing older.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::user::User;
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

/// What an operator's word did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switched {
    /// To which account.
    pub user: UserId,
    /// Whether it was otherwise before.
    pub changed: bool,
    /// Sessions that ended.
    pub sessions: u64,
}

impl AuthService {
    /// Disables the account of an id or an address: every token of it, access tokens included, is dead when this
    /// answers, those too that are being made right now. Stopped in between, it can be asked for again.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn disable(&self, realm: &Realm, who: &str) -> Result<Switched, StoryError> {
        let Ports { sessions, one_time_tokens, .. } = &self.ports;
        let user = self.named(realm, who).await?;
        let (id, changed) = (user.id, !user.disabled);
        if changed {
            let switch = |user: &mut User| {
                user.disabled = true;
                user.generation += 1;
            };
            self.change_user(user, Still::Anyone, switch).await.map_err(gone)?;
        }
        // a call that repeats one whose answer was lost is evidence too
        self.record(realm, EventKind::AccountDisabled, Some(id), None);
        // dead by now, all of them: the generation has passed
        let ended = sessions.end_all(realm, &id, None).await?;
        one_time_tokens.remove_all(realm, &id).await?;
        Ok(Switched { user: id, changed, sessions: ended })
    }

    /// Takes the word back: its owner may log in again.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn enable(&self, realm: &Realm, who: &str) -> Result<Switched, StoryError> {
        let Ports { one_time_tokens, .. } = &self.ports;
        let user = self.named(realm, who).await?;
        let (id, changed) = (user.id, user.disabled);
        if changed {
            // a link that a worker was making while the account was disabled
            one_time_tokens.remove_all(realm, &id).await?;
            self.change_user(user, Still::Anyone, |user| user.disabled = false).await.map_err(gone)?;
        }
        self.record(realm, EventKind::AccountEnabled, Some(id), None);
        Ok(Switched { user: id, changed, sessions: 0 })
    }

    /// The account that an operator means: by its id, or by its address as its owner would type it. Never from a copy.
    async fn named(&self, realm: &Realm, who: &str) -> Result<User, StoryError> {
        let Ports { users, .. } = &self.ports;
        let who = who.trim();
        let found = match UserId::parse(who) {
            Some(id) => users.find_at_source(realm, &id).await?,
            None => users.find_by_email(realm, &self.login_index(realm, who)).await?,
        };
        found.ok_or(StoryError::NotFound)
    }
}

/// An account that was deleted meanwhile is none of anybody's.
fn gone(error: StoryError) -> StoryError {
    match error {
        StoryError::NotAuthenticated => StoryError::NotFound,
        error => error,
    }
}
