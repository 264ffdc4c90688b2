//! Chance that comes out the same for the same seed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::fake_mac::scramble;
use portcullis_core::ports::randomness::Randomness;

/// `SplitMix64` from a seed.
#[derive(Debug)]
pub struct SeededRandomness(AtomicU64);

impl SeededRandomness {
    /// The sequence of that seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Goes on as the sequence of that seed. One that was used before brings the same ids and tokens again.
    pub fn reseed(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }
}

impl Randomness for SeededRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = scramble(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed));
            chunk.iter_mut().zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
    }
}
