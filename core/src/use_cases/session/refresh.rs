//! Refresh: exchange a refresh token for its successor. Two tabs or a lost reply do not log the user out; reuse of
//! a stolen token revokes the session.

use crate::model::event::EventKind;
use crate::model::realm::Realm;
use crate::model::role::Roles;
use crate::model::session::{RefreshDecision, Rotated, Session};
use crate::model::time::Timestamp;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::session::Sessions;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::tokens::{RefreshToken, TokenPair};

impl Sessions<'_> {
    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// `InvalidGrant`; after theft the session is gone.
    pub async fn refresh(self, realm: &Realm, refresh_token: &str) -> Result<TokenPair, AuthError> {
        self.refresh_for(realm, refresh_token, None).await
    }

    /// Exchanges a refresh token for an OAuth client that has authenticated itself, or for none.
    ///
    /// # Errors
    /// As `refresh`.
    pub async fn refresh_for(
        self,
        realm: &Realm,
        refresh_token: &str,
        oauth_client: Option<&str>,
    ) -> Result<TokenPair, AuthError> {
        let Ports { sessions, users, clock, .. } = &self.service.ports;
        let token = self.service.parse_refresh(realm, refresh_token).ok_or(AuthError::InvalidGrant)?;
        let digest = self.service.refresh_digest(realm, &token);
        // each turn loses only to another rotation in the meantime
        loop {
            let now = clock.now();
            let session = sessions.find(realm, &token.session).await?.ok_or(AuthError::InvalidGrant)?;
            let user = users.find(realm, &session.user).await?.ok_or(AuthError::InvalidGrant)?;
            let ended = session.expired(now)
                || user.disabled
                || session.credentials_version != user.credentials_version
                || self.service.must_enrol(&user);
            if ended {
                return Err(AuthError::InvalidGrant);
            }
            match session.evaluate_refresh_token(&digest, now) {
                RefreshDecision::Rotate | RefreshDecision::Replace => {
                    if let Some(pair) = self.rotate((&session, &user.roles), &token, oauth_client, now).await? {
                        return Ok(pair);
                    }
                }
                RefreshDecision::Reissue(masked) => {
                    let stored = session.previous.as_ref().map_or(digest.newest(), |previous| &previous.token);
                    let nonce = self.service.mask_successor(realm, &token, stored, masked);
                    let successor = RefreshToken { session: session.id, nonce };
                    return Ok(self.service.issue((&session, &user.roles), &successor, oauth_client, now)?);
                }
                RefreshDecision::Theft => {
                    let id = session.id;
                    let work = UnitOfWork {
                        events: vec![self.service.event(realm, EventKind::RefreshTokenStolen, Some(user.id), Some(id))],
                        ..UnitOfWork::of(Change::EndSession { realm: realm.clone(), id, user: user.id })
                    };
                    match self.service.end_session_and_devices(&user, &id, work).await {
                        // refused: another request has ended it for the same reason
                        Ok(()) | Err(AuthError::NotFound | AuthError::NotAuthenticated) => {}
                        Err(error) => return Err(error),
                    }
                    return Err(AuthError::InvalidGrant);
                }
            }
        }
    }

    /// Whether this is a refresh token, newest or not, of the caller's session.
    #[must_use]
    pub fn has_refresh_token(self, caller: &Caller, refresh_token: &str) -> bool {
        let token = self.service.parse_refresh(&caller.session.realm, refresh_token);
        token.is_some_and(|token| token.session == caller.session.id)
    }

    /// One compare-and-swap: `token` is spent, a fresh successor is good. `None` if another rotation came first.
    async fn rotate(
        self,
        (session, roles): (&Session, &Roles),
        token: &RefreshToken,
        oauth_client: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<TokenPair>, AuthError> {
        let Ports { database, .. } = &self.service.ports;
        let realm = &session.realm;
        let successor = self.service.new_refresh(session.id);
        let spent = *self.service.refresh_digest(realm, token).newest();
        let next = Session {
            current: *self.service.refresh_digest(realm, &successor).newest(),
            previous: Some(Rotated {
                token: spent,
                at: now,
                successor: self.service.mask_successor(realm, token, &spent, successor.nonce),
            }),
            last_used_at: now,
            idle_expires_at: (now + self.service.policy.lifetimes.refresh_idle).min(session.expires_at),
            version: session.version + 1,
            ..session.clone()
        };
        let pair = self.service.issue((&next, roles), &successor, oauth_client, now)?;
        let change = Change::ReplaceSession { session: Box::new(next), expected: session.version };
        match database.commit(UnitOfWork::of(change)).await? {
            Ok(_) => Ok(Some(pair)),
            Err(Refusal::SessionStale) => Ok(None),
            Err(_) => Err(AuthError::InvalidGrant),
        }
    }
}
