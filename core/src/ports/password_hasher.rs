//! Slow hashing of passwords, on threads of its own.

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

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is the one.
    Right {
        /// The hash was made with other parameters than today's: make it anew.
        stale: bool,
    },
    /// It is not.
    Wrong,
}

/// Argon2id with the operator's parameters. Hashing and verifying cost the same; a caller that has gone away frees
/// its place.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes with a salt of the caller's choice: equal passwords and salts give equal hashes.
    async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HashError>;

    /// Verifies against a stored hash, whatever parameters it was made with.
    async fn verify(&self, password: Password, hash: PasswordHash) -> Result<Verdict, HashError>;
}
