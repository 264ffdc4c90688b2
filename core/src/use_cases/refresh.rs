//! Refresh: exchange a refresh token for its successor. Two tabs and lost replies log nobody out; a thief ends the
//! family.

use crate::model::event::EventKind;
use crate::model::realm::Realm;
use crate::model::session::{Presented, Rotated, Session};
use crate::model::time::Timestamp;
use crate::ports::session_store::RotateSession;
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;
use crate::use_cases::tokens::{RefreshToken, TokenPair};

impl AuthService {
    /// Exchanges a refresh token.
    ///
    /// # Errors
    /// `InvalidGrant`; after theft the session is gone.
    pub async fn refresh(&self, realm: &Realm, refresh_token: &str) -> Result<TokenPair, StoryError> {
        let Ports { sessions, users, clock, .. } = &self.ports;
        let token = self.parse_refresh(realm, refresh_token).ok_or(StoryError::InvalidGrant)?;
        let digest = self.refresh_digest(realm, &token);
        // Each turn loses only to a rotation that someone else has made meanwhile.
        loop {
            let now = clock.now();
            let session = sessions.find(realm, &token.session).await?.ok_or(StoryError::InvalidGrant)?;
            let user = users.find(realm, &session.user).await?.ok_or(StoryError::InvalidGrant)?;
            if session.expired(now) || user.disabled || session.generation != user.generation {
                return Err(StoryError::InvalidGrant);
            }
            match session.present(&digest, now) {
                Presented::Rotate | Presented::Replace => {
                    if let Some(pair) = self.rotate(&session, &token, now).await? {
                        return Ok(pair);
                    }
                }
                Presented::Reissue(masked) => {
                    let nonce = self.mask_successor(realm, &token, masked);
                    let successor = RefreshToken { session: session.id, nonce };
                    return Ok(self.issue(&session, &successor, now)?);
                }
                Presented::Theft => {
                    sessions.end(realm, &session.id).await?;
                    self.record(realm, EventKind::RefreshTokenStolen, Some(session.user), Some(session.id));
                    return Err(StoryError::InvalidGrant);
                }
            }
        }
    }

    /// One compare-and-swap: `token` is spent, a fresh successor is good. `None` if another rotation came first.
    async fn rotate(
        &self,
        session: &Session,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<Option<TokenPair>, StoryError> {
        let Ports { sessions, .. } = &self.ports;
        let realm = &session.realm;
        let successor = self.new_refresh(session.id);
        let next = Session {
            current: self.refresh_digest(realm, &successor),
            previous: Some(Rotated {
                token: self.refresh_digest(realm, token),
                at: now,
                successor: self.mask_successor(realm, token, successor.nonce),
            }),
            last_used_at: now,
            idle_expires_at: (now + self.policy.lifetimes.refresh_idle).min(session.expires_at),
            version: session.version + 1,
            ..session.clone()
        };
        let pair = self.issue(&next, &successor, now)?;
        match sessions.rotate(next, session.version).await? {
            RotateSession::Rotated => Ok(Some(pair)),
            RotateSession::Stale => Ok(None),
            RotateSession::Gone => Err(StoryError::InvalidGrant),
        }
    }
}
