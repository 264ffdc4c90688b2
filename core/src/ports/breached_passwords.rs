//! Passwords that attackers try first.

use async_trait::async_trait;

use crate::model::password::Password;
use crate::ports::error::PortError;

/// Lists of passwords from breaches. It may claim one in a million that no list has, and never misses one of its lists.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait BreachedPasswords: Send + Sync {
    /// Whether the password is in the list.
    async fn contains(&self, password: &Password) -> Result<bool, PortError>;
}
