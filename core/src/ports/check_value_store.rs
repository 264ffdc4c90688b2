//! Values by which a database recognises the secrets it was written with.

use async_trait::async_trait;

use crate::ports::error::PortError;

/// Small values by name. A write that was answered with success survives a crash of the process.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait CheckValueStore: Send + Sync {
    /// The value of that name.
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError>;

    /// Stores the value unless there is one of that name. Returns the stored value: of several callers at once, all get
    /// the same one.
    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError>;

    /// Compare-and-swap: stores `new` if the value still is `expected`. Whether it was stored.
    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError>;
}
