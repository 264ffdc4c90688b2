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
}

/// HMAC-SHA-256, keyed per realm and domain; the parts are framed, so that no two lists of parts run together.
/// Deterministic for one key, quick and pure.
pub trait KeyedDigest: Send + Sync {
    /// The digest of the parts.
    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest;
}
