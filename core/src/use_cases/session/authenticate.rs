//! Authenticates a request: an access token is valid only while its session and its user are.

use crate::model::realm::Realm;
use crate::service::Ports;
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;

impl Sessions<'_> {
    /// The caller of an access token: its session must exist, and have the account's credentials version. An account that
    /// must have a second factor and has none has no sessions.
    ///
    /// # Errors
    /// `NotAuthenticated`.
    pub async fn authenticate(self, realm: &Realm, access_token: &str) -> Result<Caller, AuthError> {
        let Ports { signer, sessions, clock, .. } = &self.service.ports;
        let now = clock.now();
        let claims = signer.verify(realm, access_token, now).ok_or(AuthError::NotAuthenticated)?;
        let found = sessions.find_with_account(realm, &claims.session, &claims.user).await?;
        let (session, user) = found.ok_or(AuthError::NotAuthenticated)?;
        let alive = session.user == claims.user
            && session.credentials_version == user.credentials_version
            && !session.expired(now)
            && !user.disabled
            && !self.service.must_enrol(&user);
        if alive { Ok(Caller { user, session, claims }) } else { Err(AuthError::NotAuthenticated) }
    }

    /// Whether a caller may use the admin API: an account with the role `admin` may. Its token must come from a recent
    /// authentication with a second factor.
    ///
    /// # Errors
    /// `ReauthenticationRequired`.
    pub fn check_admin(self, caller: &Caller) -> Result<bool, AuthError> {
        if !caller.user.roles.has_admin() {
            return Ok(false);
        }
        self.service.ensure_recent_authentication(caller, false)?;
        if caller.claims.methods.has_second_factor() { Ok(true) } else { Err(AuthError::ReauthenticationRequired) }
    }
}
