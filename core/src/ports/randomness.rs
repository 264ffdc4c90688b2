//! Chance.

/// A cryptographically secure source; fakes are seeded.
pub trait Randomness: Send + Sync {
    /// Fills every byte.
    fn fill(&self, bytes: &mut [u8]);
}
