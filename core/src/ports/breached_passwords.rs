//! Passwords that attackers try first.

use async_trait::async_trait;

use crate::model::password::Password;
use crate::ports::error::PortError;

/// Knows passwords from breaches. A filter may claim one too many now and then, never one too few of its list.
#[async_trait]
pub trait BreachedPasswords: Send + Sync {
    /// Whether the password is in the list.
    async fn contains(&self, password: &Password) -> Result<bool, PortError>;
}
