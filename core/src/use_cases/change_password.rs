//! Change the password: by the person logged in. Every other session ends, this one stays.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::one_time_token::Purpose;
use crate::model::password::Password;
use crate::model::registration_form::parse_password;
use crate::model::session::Session;
use crate::model::user::{PasswordHash, User};
use crate::ports::session_store::RotateSession;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

impl AuthService {
    /// Changes the caller's password.
    ///
    /// # Errors
    /// `Invalid`, `WrongPassword`, `TooMany`, `Overloaded`.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        client: &Client,
    ) -> Result<(), StoryError> {
        let Ports { sessions, clock, .. } = &self.ports;
        let user = &caller.user;
        let password = self.acceptable_password(user, new).await?;
        self.confirm_password(user, current, client).await?;
        let hash = self.hash_anew(password).await?;

        let changed = self.change_credentials(user.clone(), Still::TheCaller, &hash).await?;
        self.adopt_generation(&caller.session, changed.generation).await?;
        sessions.end_all(&user.realm, &user.id, Some(caller.session.id)).await?;
        self.record(&user.realm, EventKind::PasswordChanged, Some(user.id), Some(caller.session.id));
        self.enqueue(&user.realm, Task::PasswordChanged { user: user.id, at: clock.now(), by_reset: false }).await
    }

    /// A new password for this user, or all that is wrong with it.
    pub(crate) async fn acceptable_password(&self, user: &User, new: &str) -> Result<Password, StoryError> {
        let context = self.strength_context(&self.open_profile(user)?);
        let parsed = parse_password(new, &self.policy.passwords, &context);
        let breach = match Password::presented(new) {
            Some(presented) => self.breach(&presented).await?,
            None => None,
        };
        match (parsed, breach) {
            (Ok(password), None) => Ok(password),
            (Ok(_), Some(breach)) => Err(StoryError::Invalid(vec![breach])),
            (Err(mut violations), breach) => {
                violations.extend(breach);
                Err(StoryError::Invalid(violations))
            }
        }
    }

    /// A hash with a salt of its own.
    pub(crate) async fn hash_anew(&self, password: Password) -> Result<PasswordHash, StoryError> {
        let Ports { hasher, randomness, .. } = &self.ports;
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        Ok(hasher.hash(password, salt).await?)
    }

    /// Another password and another generation, in one step; the links and challenges of the old one die.
    pub(crate) async fn change_credentials(
        &self,
        user: User,
        still: Still,
        hash: &PasswordHash,
    ) -> Result<User, StoryError> {
        let Ports { one_time_tokens, .. } = &self.ports;
        let changed = self
            .change_user(user, still, |user| {
                user.password = hash.clone();
                user.generation += 1;
            })
            .await?;
        for purpose in [Purpose::ResetPassword, Purpose::LoginMfa] {
            one_time_tokens.remove(&Self::holder(&changed.realm, purpose, changed.id)).await?;
        }
        Ok(changed)
    }

    /// The current session moves to the new generation, unless it has ended meanwhile.
    async fn adopt_generation(&self, session: &Session, generation: u64) -> Result<(), StoryError> {
        let Ports { sessions, .. } = &self.ports;
        let mut current = Some(session.clone());
        while let Some(session) = current {
            let moved = Session { generation, version: session.version + 1, ..session.clone() };
            match sessions.rotate(moved, session.version).await? {
                RotateSession::Rotated | RotateSession::Gone => return Ok(()),
                RotateSession::Stale => current = sessions.find(&session.realm, &session.id).await?,
            }
        }
        Ok(())
    }
}
