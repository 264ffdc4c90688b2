//! Log in: an e-mail and a password open a session, or ask for a second factor. Known and unknown addresses cost
//! the same: one lookup of each kind and one hash.

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::one_time_token::Purpose;
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::sealed::RingDigest;
use crate::model::secret::OpaqueToken;
use crate::model::session::AuthMethods;
use crate::model::user::{PasswordHash, Registration, User};
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::Ports;
use crate::use_cases::login::Logins;
use crate::use_cases::login::enrol::EnrolmentChallenge;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::ShownFactor;
use crate::use_cases::shared::otp::FactorChallenge;
use crate::use_cases::shared::tokens::TokenPair;

/// The outcome of a login with the right password.
#[derive(Debug)]
pub enum LoggedIn {
    /// A session.
    Session(TokenPair),
    /// A challenge: a second factor is needed too.
    MfaRequired(FactorChallenge),
    /// A challenge: the account must add its first factor, and before that prove its mailbox.
    EnrolmentRequired(EnrolmentChallenge),
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
        self.log_in_from(realm, (username, password), None, client).await
    }

    /// Logs in from a device that may be remembered. With the token of one, no second factor is asked for; any other
    /// token is as none.
    ///
    /// # Errors
    /// As `log_in`.
    pub async fn log_in_from(
        self,
        realm: &Realm,
        (username, password): (&str, &str),
        device: Option<&str>,
        client: &Client,
    ) -> Result<LoggedIn, AuthError> {
        let Ports { users, registrations, clock, .. } = &self.service.ports;
        let (email, throttled) =
            (self.service.login_index(realm, username), self.service.throttle_key(realm, username));
        let from = self.service.login_source(realm, &client.address);
        self.service.check_login_throttle(realm, &throttled, &from).await?;

        let user = users.find_by_email(realm, &email).await?;
        let pending = registrations.find_by_email(realm, &email, clock.now()).await?;
        let checked = self.check_password(realm, &email, user, &pending, password).await;
        if let Err(AuthError::Overloaded | AuthError::EmailNotVerified) = checked {
            self.service.withdraw_login_attempt(realm, &throttled, &from).await?;
        }
        let Some(user) = checked? else {
            self.service.count_failed_password(realm, &from.address).await;
            return Err(AuthError::InvalidCredentials);
        };
        self.service.flag_suspicious_login(&user, &from.address).await;
        if user.has_second_factor() {
            if let Some(token) = self.remembered_device(&user, device)? {
                let opened = self.service.new_session(&user, client, AuthMethods::PASSWORD)?;
                let shown = ShownFactor::of_device(token, opened.0.id);
                match self.service.open_session_with_factor(opened, &user, &shown).await {
                    Ok(pair) => {
                        self.service.record_login_success(realm, &throttled, &from).await?;
                        return Ok(LoggedIn::Session(pair));
                    }
                    // forgotten meanwhile
                    Err(AuthError::InvalidToken) => {}
                    Err(error) => return Err(error),
                }
            }
            // an SMS is sent at once only where no stronger factor is on
            let send_sms = user.mfa_sms && !user.has_factor_beyond_sms();
            let challenge = self.service.factor_challenge(&user, Purpose::LoginMfa, send_sms).await?;
            return Ok(LoggedIn::MfaRequired(challenge));
        }
        if self.service.must_enrol(&user) {
            return self.begin_enrolment(&user).await.map(LoggedIn::EnrolmentRequired);
        }
        self.service.record_login_success(realm, &throttled, &from).await?;
        let opened = self.service.new_session(&user, client, AuthMethods::PASSWORD)?;
        self.service.open_session(opened).await.map(LoggedIn::Session)
    }

    /// The token of a device that the account remembers.
    fn remembered_device(self, user: &User, token: Option<&str>) -> Result<Option<OpaqueToken>, AuthError> {
        let Some(token) = token.and_then(OpaqueToken::parse) else { return Ok(None) };
        let digest = self.service.device_digest(user, &token);
        let known = self.service.devices(user)?.0.iter().any(|device| digest.has(&device.token));
        Ok(known.then_some(token))
    }

    /// Computes one hash and compares it with the account and every pending registration of the address. `None`: the password
    /// is wrong.
    async fn check_password(
        self,
        realm: &Realm,
        email: &RingDigest,
        user: Option<User>,
        pending: &[Registration],
        password: &str,
    ) -> Result<Option<User>, AuthError> {
        let Ports { hasher, .. } = &self.service.ports;
        // a password that is too long is refused, and costs a hash like any other
        let presented = Password::from_login_input(password).or_else(|| Password::from_login_input(""));
        let Some(presented) = presented else { return Ok(None) };
        let too_long = Password::from_login_input(password).is_none();
        let owned = user.as_ref().map(|user| self.service.record_cipher(user)?.open_password(&user.password));
        let owned = owned.transpose()?;
        let waiting = pending.iter().map(|one| self.service.registration_cipher(one)?.open_password(&one.password));
        let waiting = waiting.collect::<Result<Vec<PasswordHash>, PortError>>()?;
        let known = owned.as_ref().or(waiting.last()).cloned();
        let hash = match known.or_else(|| self.service.decoy_hash(realm, email)) {
            Some(stored) => hasher.hash_like(presented, stored).await?,
            None => hasher.hash(presented, self.service.registration_salt(realm, email)).await?,
        };
        let id = user.as_ref().map(|user| user.id);
        if let Some((user, stored)) = user.zip(owned)
            && stored.matches(&hash)
            && !user.disabled
            && !too_long
        {
            let outdated = hasher.is_outdated(&stored);
            return Ok(Some(if outdated { self.rehash_if_outdated(user, password).await? } else { user }));
        }
        let unverified = waiting.iter().filter(|stored| stored.matches(&hash)).count();
        if unverified > 0 && !too_long {
            return Err(AuthError::EmailNotVerified);
        }
        self.service.record(realm, EventKind::LoginFailed, id, None);
        Ok(None)
    }

    /// Replaces a hash whose Argon2 parameters are not the current ones. Best effort: its failure does not fail the login.
    async fn rehash_if_outdated(self, user: User, password: &str) -> Result<User, AuthError> {
        let Ports { database, .. } = &self.service.ports;
        let Some(password) = Password::from_login_input(password) else { return Ok(user) };
        let Ok(hash) = self.service.hash_new_password(&user, password).await else { return Ok(user) };
        let renewed = User { password: hash, version: user.version + 1, ..user.clone() };
        let change = Change::ReplaceUser { user: Box::new(renewed.clone()), expected: user.version };
        Ok(if database.commit(UnitOfWork::of(change)).await?.is_ok() { renewed } else { user })
    }
}
