//! A session and the life of its refresh token: one branch lives, a lost reply is forgiven, a thief is caught.
//!
//! A refresh token names its session and proves by a MAC that we made it. The session remembers two digests: the
//! token that is good now (`current`) and the one it came from (`previous`). Any other genuine token of the
//! session is one whose successor was used, or a tripwire: presenting it is theft.

use std::time::Duration;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, Sealed};
use crate::model::time::Timestamp;

/// How long after a rotation the same successor is handed out again.
pub const REISSUE_WINDOW: Duration = Duration::from_secs(60);

/// A login on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The population.
    pub realm: Realm,
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The account's credentials version when it was opened. The session is valid only while the two are equal.
    pub credentials_version: u64,
    /// The client's `User-Agent`, under the user's key.
    pub user_agent: Sealed,
    /// The client's coarse address, under the user's key.
    pub address: Sealed,
    /// When a password (and second factor) was last shown.
    pub authenticated_at: Timestamp,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// Dead from here on, unless refreshed.
    pub idle_expires_at: Timestamp,
    /// Dead from here on, whatever happens.
    pub expires_at: Timestamp,
    /// The refresh token that is good now.
    pub current: Digest,
    /// The token it came from, with what is needed to answer a lost reply.
    pub previous: Option<Rotated>,
    /// Counts rotations; compare-and-swap goes by it.
    pub version: u64,
}

/// A refresh token that has been exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Its digest.
    pub token: Digest,
    /// When it was exchanged.
    pub at: Timestamp,
    /// Its successor's nonce, masked by a digest of the exchanged token itself: only who holds that can read it.
    pub successor: [u8; 16],
}

/// What to do with a genuine refresh token of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshDecision {
    /// The current one: exchange it.
    Rotate,
    /// A lost reply: hand out the same successor once more.
    Reissue([u8; 16]),
    /// A late lost reply: hand out a fresh successor; the old one becomes a tripwire.
    Replace,
    /// Its successor was used, or it is a tripwire: the family ends.
    Theft,
}

impl Session {
    /// Whether the session's own clock has run out.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.idle_expires_at || now >= self.expires_at
    }

    /// What presenting a genuine token of this session means.
    #[must_use]
    pub fn evaluate_refresh_token(&self, token: &Digest, now: Timestamp) -> RefreshDecision {
        if self.current.matches(token) {
            return RefreshDecision::Rotate;
        }
        match &self.previous {
            Some(previous) if previous.token.matches(token) => {
                if now.since(previous.at) < REISSUE_WINDOW {
                    RefreshDecision::Reissue(previous.successor)
                } else {
                    RefreshDecision::Replace
                }
            }
            _ => RefreshDecision::Theft,
        }
    }
}
