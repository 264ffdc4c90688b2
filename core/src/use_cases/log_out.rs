//! Log out: here, or everywhere.

use crate::model::event::EventKind;
use crate::model::user::User;
use crate::ports::user_store::ReplaceUser;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;

/// For whom a change may be applied to a user that others have changed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Still {
    /// For the caller that was authenticated: not after a reset, a changed password or a logout everywhere.
    TheCaller,
    /// For whoever it is now.
    Anyone,
}

impl AuthService {
    /// Ends the caller's session: its access and refresh tokens are dead when this answers.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn log_out(&self, caller: &Caller) -> Result<(), StoryError> {
        let Ports { sessions, .. } = &self.ports;
        let session = &caller.session;
        if sessions.end(&session.realm, &session.id).await? {
            self.record(&session.realm, EventKind::LoggedOut, Some(session.user), Some(session.id));
        }
        Ok(())
    }

    /// Ends all of the caller's sessions, those too that are being opened right now.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn log_out_everywhere(&self, caller: &Caller) -> Result<(), StoryError> {
        let Ports { sessions, .. } = &self.ports;
        let user = &caller.user;
        self.change_user(user.clone(), Still::Anyone, |user| user.generation += 1).await?;
        sessions.end_all(&user.realm, &user.id, None).await?;
        self.record(&user.realm, EventKind::LoggedOutEverywhere, Some(user.id), Some(caller.session.id));
        Ok(())
    }

    /// Applies a change to the newest version of a user, however many others change it meanwhile. Of a caller who
    /// must still be the one that was authenticated, nothing is changed once the generation is another one.
    pub(crate) async fn change_user(
        &self,
        user: User,
        still: Still,
        change: impl Fn(&mut User) + Send + Sync,
    ) -> Result<User, StoryError> {
        let Ports { users, clock, .. } = &self.ports;
        let mut current = user;
        loop {
            let expected = current.version;
            let mut next = current.clone();
            change(&mut next);
            next.version = expected + 1;
            next.updated_at = clock.now();
            match users.replace(next.clone(), expected).await? {
                ReplaceUser::Replaced => return Ok(next),
                ReplaceUser::EmailTaken | ReplaceUser::Gone => return Err(StoryError::NotAuthenticated),
                ReplaceUser::Stale => {
                    let newest = users.find(&current.realm, &current.id).await?;
                    let same = |newest: &User| still == Still::Anyone || newest.generation == current.generation;
                    current = newest.filter(same).ok_or(StoryError::NotAuthenticated)?;
                }
            }
        }
    }
}
