//! Chance.

/// A cryptographically secure source; fakes are seeded.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Randomness: Send + Sync {
    /// Fills every byte.
    fn fill(&self, bytes: &mut [u8]);
}
