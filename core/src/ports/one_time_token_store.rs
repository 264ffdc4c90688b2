//! Where links, codes and OTPs wait for their one use.

use async_trait::async_trait;

use crate::model::ids::UserId;
use crate::model::one_time_token::{Holder, OneTimeToken, Purpose};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// How a code is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeOf {
    /// By the challenge it belongs to: realm, purpose and digest of the opaque token.
    Token(Realm, Purpose, Digest),
    /// By its holder.
    Holder(Holder),
}

/// What became of trying a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryCode {
    /// It was right: the token is used up, link and code.
    Right(OneTimeToken),
    /// It was wrong: a try was spent. Whose it was, for the audit log.
    Wrong(Holder),
    /// There is no such token, it has expired, has no code (yet), or no tries are left.
    Dead,
}

/// One-time tokens: at most one per holder; a digest finds one within realm and purpose only. Expired is absent.
#[async_trait]
pub trait OneTimeTokenStore: Send + Sync {
    /// Stores a token, durably; the holder's older one is gone.
    async fn put(&self, token: OneTimeToken) -> Result<(), PortError>;

    /// Looks without using it up.
    async fn peek(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError>;

    /// The holder's living token, without using it up.
    async fn find(&self, holder: &Holder, now: Timestamp) -> Result<Option<OneTimeToken>, PortError>;

    /// Uses it up. Of many racing calls, one gets it.
    async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError>;

    /// Sets the code of the holder's token, with all tries, if it is still the token of that digest.
    /// Whether it was.
    async fn arm(
        &self,
        holder: &Holder,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError>;

    /// Tries a code, in one atomic step: a try is spent before the comparison, a right code uses the token up.
    /// However many race, never more than the tries are compared and one is `Right`.
    async fn try_code(&self, of: &CodeOf, code: &Digest, now: Timestamp) -> Result<TryCode, PortError>;

    /// Removes all tokens of a subject, whatever their purpose.
    async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError>;

    /// Removes a holder's token.
    async fn remove(&self, holder: &Holder) -> Result<(), PortError>;

    /// Housekeeping: removes what has expired; how many.
    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError>;
}
