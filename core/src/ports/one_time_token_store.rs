//! Where links, codes and OTPs wait for their one use.

use async_trait::async_trait;

use crate::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// How a code is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeLookup {
    /// By the challenge it belongs to: realm, purpose and digest of the opaque token.
    Token(Realm, Purpose, Digest),
    /// By its owner.
    Owner(TokenOwner),
}

/// The result of trying a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeAttempt {
    /// It was right. The token stays; a commit with `UseToken` uses it up.
    Right(OneTimeToken),
    /// It was wrong: a try was spent. Names the token's owner, for the audit log.
    Wrong(TokenOwner),
    /// There is no such token, it has expired, has no code (yet), or no tries are left.
    Dead,
}

/// One-time tokens: at most one per holder; a digest finds one within realm and purpose only. Expired is absent.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait OneTimeTokenStore: Send + Sync {
    /// Looks without using it up.
    async fn find_valid(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError>;

    /// The holder's living token, without using it up.
    async fn find(&self, holder: &TokenOwner, now: Timestamp) -> Result<Option<OneTimeToken>, PortError>;

    /// Compares a code, in one atomic step: an attempt is spent before the comparison, also on a right code. However
    /// many race, never more codes are compared than the token has attempts.
    async fn try_code(&self, of: &CodeLookup, code: &Digest, now: Timestamp) -> Result<CodeAttempt, PortError>;

    /// Housekeeping: removes expired tokens. Returns their number.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
