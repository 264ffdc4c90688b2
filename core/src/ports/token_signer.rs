//! Access tokens: signed statements that stand alone (RFC 9068 `at+jwt`).

use crate::model::ids::{AccessTokenId, SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::role::Roles;
use crate::model::sealed::Digest;
use crate::model::secret::SecretString;
use crate::model::session::AuthMethods;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// `nbf` is this many seconds before `iat`, because the clock of a resource server may be behind.
pub const BACKDATED_SECONDS: i64 = 5;
/// `iat` and `exp` are this many seconds early: libraries without leeway refuse an `iat` that is ahead of their clock.
pub const EARLY_SECONDS: i64 = 2;

/// The claims of an access token. They contain no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `aud`: the realm.
    pub realm: Realm,
    /// `sub`.
    pub user: UserId,
    /// `sid`.
    pub session: SessionId,
    /// `jti`.
    pub id: AccessTokenId,
    /// `iat`, whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, whole seconds.
    pub expires_at: Timestamp,
    /// `auth_time`, whole seconds.
    pub authenticated_at: Timestamp,
    /// `amr` and `acr`.
    pub methods: AuthMethods,
    /// `client_id` (RFC 9068): the OAuth client that authenticated itself, else the realm.
    pub client_id: String,
    /// `roles` (RFC 9068, section 2.2.3.1), left out where there are none: those of the account when it was signed. Rights
    /// are decided by the account itself.
    pub roles: Roles,
}

/// Signs with the first key of a ring, verifies with all of them, by one configured algorithm. A token's own header does
/// not choose the algorithm.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait TokenSigner: Send + Sync {
    /// A token that says `claims`.
    ///
    /// # Errors
    /// When the library fails.
    fn sign(&self, claims: &AccessClaims) -> Result<SecretString, PortError>;

    /// The claims of a token, if we signed it for that realm and `now` is within its time (30 s of leeway at most).
    fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims>;

    /// The proof inside a refresh token that this server made it, under the newest key.
    fn refresh_proof(&self, realm: &Realm, token: &[u8]) -> Digest;

    /// Whether a proof is one of this server's, under any key that is still in the ring.
    fn verify_refresh_proof(&self, realm: &Realm, token: &[u8], proof: &Digest) -> bool;

    /// The `iss` of a realm's tokens (RFC 8414): the server's address and the realm.
    fn issuer(&self, realm: &Realm) -> String;

    /// The public keys as a JWK set (RFC 7517, JSON), where signing is asymmetric.
    fn jwks(&self) -> Option<String>;
}
