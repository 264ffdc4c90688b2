//! Digests that cannot be computed or guessed without the server's key.

use crate::model::realm::Realm;
use crate::model::sealed::Digest;

/// The use of a digest: digests of different domains never agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Canonical e-mail → blind index.
    Email,
    /// E.164 → what an OTP is bound to.
    Phone,
    /// Opaque one-time token → its stored digest.
    OneTimeToken,
    /// Typed code and its holder → its stored digest.
    TypedCode,
    /// Purpose, address or number, and credentials version → the binding of a one-time token.
    TokenBinding,
    /// Refresh token → its stored digest.
    RefreshToken,
    /// Refresh token → the mask over its successor's nonce.
    RefreshSuccessor,
    /// Blind index → the salt of the passwords of that address's registrations.
    RegistrationSalt,
    /// Client address → who fills a bucket.
    ClientAddress,
    /// Nothing → the key of the session cache.
    SessionCache,
    /// The key of a mail quota.
    MailQuota,
    /// Account and version → the entity tag of a profile.
    ProfileTag,
    /// A text typed as an e-mail, or an account → the count of its failed logins or factors.
    LoginThrottle,
}

impl Domain {
    /// Whether its digests are stored for longer than a ring takes to reach all instances, and are found by each key of
    /// the ring. The others only count or cache for a while.
    #[must_use]
    pub const fn is_lasting(self) -> bool {
        match self {
            Self::Email
            | Self::OneTimeToken
            | Self::TypedCode
            | Self::TokenBinding
            | Self::RefreshToken
            | Self::RefreshSuccessor => true,
            Self::Phone
            | Self::RegistrationSalt
            | Self::ClientAddress
            | Self::SessionCache
            | Self::MailQuota
            | Self::ProfileTag
            | Self::LoginThrottle => false,
        }
    }
}

/// HMAC-SHA-256, keyed per realm and domain; the parts are framed, so that no two lists of parts run together.
/// Deterministic for one key, quick and pure.
pub trait KeyedDigest: Send + Sync {
    /// The digest of the parts: of a lasting domain under the first key of the ring; of any other domain under the key with
    /// the smallest id, so that instances whose rings have the same keys in another order count and cache together.
    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest;

    /// The digest of the parts under the second key of the ring, if it has two.
    fn digest_by_other(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Option<Digest>;
}
