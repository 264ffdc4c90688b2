//! Slow hashing of passwords, on separate threads.

use async_trait::async_trait;

use crate::model::password::Password;
use crate::model::user::PasswordHash;
use crate::ports::error::PortError;

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting: refused before any work.
    #[error("too many passwords are waiting to be hashed")]
    Overloaded,
    /// Anything else.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Argon2id with the operator's parameters. Every call costs one hash; a caller that has gone away frees its place.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes with the operator's parameters and that salt: equal passwords and salts give equal hashes.
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError>;

    /// Hashes with the algorithm, the parameters and the salt of a stored hash: the two are equal exactly if the
    /// passwords are.
    async fn hash_like(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError>;

    /// Hashes with the operator's parameters and the salt of a stored hash.
    async fn hash_with_salt_of(&self, password: Password, stored: PasswordHash) -> Result<PasswordHash, HashError>;

    /// A dummy hash, of no account, with the algorithm and the parameters of a stored hash and that salt; `None` if the stored one can't
    /// be read. Costs nothing.
    fn decoy_like(&self, stored: &PasswordHash, salt: [u8; 16]) -> Option<PasswordHash>;

    /// Whether a stored hash was made with another algorithm or other parameters than the operator's.
    fn is_outdated(&self, stored: &PasswordHash) -> bool;
}
