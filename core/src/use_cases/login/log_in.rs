//! Log in: an e-mail and a password open a session, or ask for a second factor. Known and unknown addresses cost
//! the same: one look-up of each kind and one hash.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::message::Channel;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::secret::OpaqueToken;
use crate::model::user::{Registration, User};
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::password_hasher::Verdict;
use crate::service::{AuthService, Ports};
use crate::use_cases::login::Logins;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::tokens::TokenPair;

/// What a right password leads to.
#[derive(Debug)]
pub enum LoggedIn {
    /// A session.
    Session(TokenPair),
    /// A challenge: the code of a text is needed too.
    MfaRequired(OpaqueToken),
}

impl Logins<'_> {
    /// Logs in.
    ///
    /// # Errors
    /// `InvalidCredentials`, `EmailNotVerified` after a right password only, `TooMany`, `Overloaded`.
    pub async fn log_in(
        self,
        realm: &Realm,
        username: &str,
        password: &str,
        client: &Client,
    ) -> Result<LoggedIn, AuthError> {
        let Ports { users, registrations, clock, .. } = &self.service.ports;
        let email = self.service.login_index(realm, username);
        let from = self.service.address_digest(realm, &client.address);
        self.service.admit(realm, &email, &from).await?;

        let user = users.find_by_email(realm, &email).await?;
        let pending = registrations.find_by_email(realm, &email, clock.now()).await?;
        let Some(user) = self.check_password(realm, &email, user, &pending, password).await? else {
            self.service.count_failed_password(realm, &from).await;
            return Err(AuthError::InvalidCredentials);
        };
        self.service.flag_suspicious_login(&user, &from).await;
        if user.mfa_sms {
            return self.challenge(&user).await.map(LoggedIn::MfaRequired);
        }
        self.service.record_login_success(realm, &email, &from).await?;
        let opened = self.service.new_session(&user, client)?;
        self.service.open_session(opened, Vec::new()).await.map(LoggedIn::Session)
    }

    /// One hash, whoever it is. `None` for a wrong password.
    async fn check_password(
        self,
        realm: &Realm,
        email: &Digest,
        user: Option<User>,
        pending: &[Registration],
        password: &str,
    ) -> Result<Option<User>, AuthError> {
        let Ports { hasher, .. } = &self.service.ports;
        // too long to be anyone's: still costs a hash, of nothing
        let presented = Password::presented(password).or_else(|| Password::presented(""));
        let Some(presented) = presented else { return Ok(None) };
        let too_long = Password::presented(password).is_none();
        let Some(user) = user else {
            let hash = hasher.hash(presented, self.service.registration_salt(realm, email)).await?;
            let unverified = pending.iter().filter(|registration| registration.password.matches(&hash)).count();
            if unverified > 0 && !too_long {
                return Err(AuthError::EmailNotVerified);
            }
            self.service.record(realm, EventKind::LoginFailed, None, None);
            return Ok(None);
        };
        match hasher.verify(presented, user.password.clone()).await? {
            Verdict::Right { stale } if !too_long && !user.disabled => {
                Ok(Some(if stale { self.rehash_if_outdated(user, password).await? } else { user }))
            }
            _ => {
                self.service.record(realm, EventKind::LoginFailed, Some(user.id), None);
                Ok(None)
            }
        }
    }

    /// The operator's parameters have changed since this hash was made. Best effort: a login never fails for it.
    async fn rehash_if_outdated(self, user: User, password: &str) -> Result<User, AuthError> {
        let Ports { database, hasher, randomness, .. } = &self.service.ports;
        let Some(password) = Password::presented(password) else { return Ok(user) };
        let mut salt = [0; 16];
        randomness.fill(&mut salt);
        let Ok(hash) = hasher.hash(password, salt).await else { return Ok(user) };
        let renewed = User { password: hash, version: user.version + 1, ..user.clone() };
        let change = Change::ReplaceUser { user: Box::new(renewed.clone()), expected: user.version };
        Ok(if database.commit(UnitOfWork::of(change)).await?.is_ok() { renewed } else { user })
    }

    /// A challenge that the code of a text answers; the worker makes the code.
    async fn challenge(self, user: &User) -> Result<OpaqueToken, AuthError> {
        let Ports { clock, randomness, .. } = &self.service.ports;
        let (realm, now) = (&user.realm, clock.now());
        let token = OpaqueToken::random(|bytes| randomness.fill(bytes));
        let challenge = self.service.token_digest(realm, Purpose::LoginMfa, &token);
        let phone = self.service.record_cipher(user)?.phone(&user.person)?;
        let stored = OneTimeToken {
            holder: AuthService::holder(realm, Purpose::LoginMfa, user.id),
            token: challenge,
            code: None,
            tries_left: 0,
            binding: Some(self.service.otp_binding(user, Purpose::LoginMfa, phone.as_str())),
            created_at: now,
            expires_at: now + self.service.policy.lifetimes.otp,
        };
        let (purpose, channel) = (Purpose::LoginMfa, Channel::Sms);
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, Task::SendOtp { user: user.id, purpose, challenge, channel })],
            events: vec![self.service.event(realm, EventKind::MfaChallenged, Some(user.id), None)],
            ..UnitOfWork::of(Change::PutToken(Box::new(stored)))
        };
        self.service.commit(work).await?;
        Ok(token)
    }
}
