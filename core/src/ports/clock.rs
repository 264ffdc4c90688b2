//! The time.

use crate::model::time::Timestamp;

/// Tells the time. It may be set, but implementations never hand out an earlier time than before.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
}
