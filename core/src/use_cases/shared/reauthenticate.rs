//! Recent authentication: an access token alone must not change how an account is entered or its owner is reached.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::password::Password;
use crate::model::session::Session;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

/// Wrong passwords and codes in one session after which it ends.
const SESSION_FAILURES: u8 = 5;

/// The credentials in a request, other than the access token, that prove that its caller is the account's owner.
#[derive(Clone, Copy, Default)]
pub enum Reauthentication<'a> {
    /// Nothing: the authentication must be recent.
    #[default]
    None,
    /// The password.
    Password {
        /// The password, as it was typed.
        password: &'a str,
        /// The client that sent it. Wrong passwords are counted by account and client.
        client: &'a Client,
    },
}

impl<'a> Reauthentication<'a> {
    /// The password, where the request has one.
    #[must_use]
    pub const fn by_password(password: Option<&'a str>, client: &'a Client) -> Self {
        match password {
            Some(password) => Self::Password { password, client },
            None => Self::None,
        }
    }
}

impl AuthService {
    /// Passes a caller whose access token comes from an authentication at most `policy.fresh_login` old, or who gives the
    /// right password. A password that is given is checked in any case. With a second factor on the account, the token
    /// must say that one was shown.
    ///
    /// # Errors
    /// `ReauthenticationRequired`, `WrongPassword`, `TooMany`, `Overloaded`.
    pub(crate) async fn reauthenticate(&self, caller: &Caller, given: Reauthentication<'_>) -> Result<(), AuthError> {
        let password_confirmed = self.confirm_given(caller, given).await?;
        self.ensure_recent_authentication(caller, password_confirmed)
    }

    /// Checks the password that a request carries; whether it carries one.
    ///
    /// # Errors
    /// `WrongPassword`, `TooMany`, `Overloaded`.
    pub(crate) async fn confirm_given(&self, caller: &Caller, given: Reauthentication<'_>) -> Result<bool, AuthError> {
        match given {
            Reauthentication::Password { password, client } => {
                self.confirm_password(caller, password, client).await.map(|()| true)
            }
            Reauthentication::None => Ok(false),
        }
    }

    /// Passes a caller by the access token's own time and methods.
    ///
    /// # Errors
    /// `ReauthenticationRequired`.
    pub(crate) fn ensure_recent_authentication(
        &self,
        caller: &Caller,
        password_confirmed: bool,
    ) -> Result<(), AuthError> {
        let recent = password_confirmed || self.authenticated_recently(caller);
        let factor_shown = caller.claims.methods.has_second_factor() || !caller.user.has_second_factor();
        if recent && factor_shown { Ok(()) } else { Err(AuthError::ReauthenticationRequired) }
    }

    /// Compared in whole seconds, because `auth_time` has no fraction.
    fn authenticated_recently(&self, caller: &Caller) -> bool {
        let age = self.ports.clock.now().as_secs().saturating_sub(caller.claims.authenticated_at.as_secs());
        u64::try_from(age).unwrap_or(0) <= self.policy.fresh_login.as_secs()
    }

    /// The password of a caller: throttled like a login, so that a stolen access token is no way to guess it. A wrong one
    /// counts in the session.
    pub(crate) async fn confirm_password(
        &self,
        caller: &Caller,
        password: &str,
        client: &Client,
    ) -> Result<(), AuthError> {
        let (realm, email) = (&caller.user.realm, &self.throttle_key_of(&caller.user)?);
        let from = self.login_source(realm, &client.address);
        self.check_login_throttle(realm, email, &from).await?;
        if let Some(password) = Password::from_login_input(password) {
            let stored = self.record_cipher(&caller.user)?.open_password(&caller.user.password)?;
            match self.password_matches(password, stored).await {
                Ok(true) => return self.record_login_success(realm, email, &from).await,
                Ok(false) => {}
                Err(error) => {
                    self.withdraw_login_attempt(realm, email, &from).await?;
                    return Err(error);
                }
            }
        }
        self.count_session_failure(caller, Some(EventKind::LoginFailed)).await?;
        Err(AuthError::WrongPassword)
    }

    /// Counts a wrong password or code in the caller's session, in one commit with the event of that kind, and ends the
    /// session with the last one allowed.
    pub(crate) async fn count_session_failure(
        &self,
        caller: &Caller,
        kind: Option<EventKind>,
    ) -> Result<(), AuthError> {
        let Ports { database, sessions, .. } = &self.ports;
        let (realm, user, id) = (&caller.user.realm, caller.user.id, caller.session.id);
        let event = |kind| self.event(realm, kind, Some(user), Some(id));
        // each turn loses only to another change of the session
        loop {
            let Some(session) = sessions.find(realm, &id).await? else { break };
            let failures = session.failures.saturating_add(1);
            let (change, ended) = if failures < SESSION_FAILURES {
                let counted = Session { failures, version: session.version + 1, ..session.clone() };
                (Change::ReplaceSession { session: Box::new(counted), expected: session.version }, None)
            } else {
                (Change::EndSession { realm: realm.clone(), id, user }, Some(event(EventKind::SessionEndedByFailures)))
            };
            let events = kind.map(event).into_iter().chain(ended).collect();
            match database.commit(UnitOfWork { events, ..UnitOfWork::of(change) }).await? {
                Err(Refusal::SessionStale) => {}
                Err(_) => break,
                Ok(_) => return Ok(()),
            }
        }
        // the session is gone: another wrong one has ended it
        if let Some(kind) = kind {
            self.record(realm, kind, Some(user), Some(id));
        }
        Ok(())
    }
}
