//! Introspect: the current state of a token, for services that received one (RFC 7662).

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::session::RefreshDecision;
use crate::model::time::Timestamp;
use crate::ports::token_signer::AccessClaims;
use crate::service::Ports;
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::errors::AuthError;

/// An active token. An inactive one is `None`, whatever the reason.
#[derive(Debug, Clone)]
pub enum ActiveToken {
    /// An access token, with the roles that its account has now.
    Access(AccessClaims),
    /// The refresh token that is good now.
    Refresh {
        /// Whose.
        user: UserId,
        /// The session that it belongs to.
        session: SessionId,
        /// Since when.
        issued_at: Timestamp,
        /// Until when, unless used.
        expires_at: Timestamp,
    },
}

impl Sessions<'_> {
    /// The current state of a token of this realm.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn introspect(self, realm: &Realm, token: &str) -> Result<Option<ActiveToken>, AuthError> {
        let Ports { sessions, users, clock, .. } = &self.service.ports;
        let Some(refresh) = self.service.parse_refresh(realm, token) else {
            return match self.authenticate(realm, token).await {
                Ok(caller) => {
                    // those of now: the token has the ones of its issue
                    let roles = caller.user.roles;
                    Ok(Some(ActiveToken::Access(AccessClaims { roles, ..caller.claims })))
                }
                Err(AuthError::Port(error)) => Err(error.into()),
                Err(_) => Ok(None),
            };
        };
        let now = clock.now();
        let Some(session) = sessions.find(realm, &refresh.session).await? else { return Ok(None) };
        let Some(user) = users.find(realm, &session.user).await? else { return Ok(None) };
        let alive = !session.expired(now)
            && session.credentials_version == user.credentials_version
            && !user.disabled
            && !self.service.must_enrol(&user);
        if !alive
            || session.evaluate_refresh_token(&self.service.refresh_digest(realm, &refresh), now)
                != RefreshDecision::Rotate
        {
            return Ok(None);
        }
        Ok(Some(ActiveToken::Refresh {
            user: user.id,
            session: session.id,
            issued_at: session.last_used_at,
            expires_at: session.idle_expires_at,
        }))
    }
}
