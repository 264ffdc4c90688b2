//! The operating system's chance for [`Randomness`].

use portcullis_core::ports::randomness::Randomness;
use rand::Rng as _;

/// A `ChaCha` generator per thread, seeded and reseeded by the operating system. Without entropy it does not start.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
