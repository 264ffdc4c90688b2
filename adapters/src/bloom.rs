//! A Bloom filter's arithmetic: how many bits for so many members at that error rate, and which are a member's.

/// The shape of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bloom {
    /// Bits.
    pub bits: u64,
    /// Bits of a member.
    pub hashes: u32,
}

impl Bloom {
    /// For so many members, of whose absence one in `one_in` is not seen.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "sizes are estimates, positive and far below 2^52"
    )]
    pub fn sized(members: u64, one_in: u32) -> Self {
        let ln2 = std::f64::consts::LN_2;
        let bits_each = f64::from(one_in.max(2)).ln() / (ln2 * ln2);
        // Redis has 2^32 bits to a text
        let bits = ((members.max(1) as f64 * bits_each).ceil() as u64).clamp(64, 1 << 32);
        Self { bits, hashes: ((bits_each * ln2).round() as u32).clamp(1, 30) }
    }

    /// The bits of a member whose bytes are random already: of a digest, or of a random id.
    pub fn positions(self, random: &[u8]) -> impl Iterator<Item = u64> + use<> {
        let half = |at: usize| {
            let bytes = random.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u64::from_be_bytes)
        };
        // an odd step meets every residue of an even number of bits only if they have no factor in common; near enough
        let (start, step) = (half(0), half(8) | 1);
        (0..u64::from(self.hashes)).map(move |i| start.wrapping_add(i.wrapping_mul(step)) % self.bits)
    }
}

/// A filter in memory, of numbers that are random already.
pub struct Filter {
    shape: Bloom,
    words: Vec<u64>,
}

impl Filter {
    pub fn sized(members: usize, one_in: u32) -> Self {
        let shape = Bloom::sized(u64::try_from(members).unwrap_or(u64::MAX), one_in);
        let words = usize::try_from(shape.bits.div_ceil(64)).unwrap_or(usize::MAX);
        Self { shape, words: vec![0; words] }
    }

    /// The words and masks of a member's bits.
    fn places(&self, member: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        // two numbers of one: the halves, stirred
        let stirred = member.rotate_left(32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = [member.to_be_bytes(), stirred.to_be_bytes()].concat();
        let positions = self.shape.positions(&random);
        positions.map(|bit| (usize::try_from(bit / 64).unwrap_or(usize::MAX), 1 << (bit % 64)))
    }

    pub fn add(&mut self, member: u64) {
        for (word, mask) in self.places(member) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= mask;
            }
        }
    }

    /// `false` only for what was never added.
    pub fn may_contain(&self, member: u64) -> bool {
        self.places(member).all(|(word, mask)| self.words.get(word).is_none_or(|word| word & mask != 0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use portcullis_core::testing::samples::digest;

    use super::*;

    #[test]
    fn keeps_its_error_rate_and_misses_nobody() {
        let bloom = Bloom::sized(10_000, 100);
        assert_eq!((bloom.bits, bloom.hashes), (95_851, 7));
        let set: HashSet<u64> = (0..10_000).flat_map(|n| bloom.positions(digest("in", n).as_bytes())).collect();
        let says = |name: &str, n: u64| bloom.positions(digest(name, n).as_bytes()).all(|bit| set.contains(&bit));
        assert!((0..10_000).all(|n| says("in", n)), "who is in is never said to be absent");
        let errors = (0..10_000).filter(|n| says("out", *n)).count();
        assert!((30..250).contains(&errors), "{errors} of 10,000 strangers, where 100 are expected");
    }

    #[test]
    fn in_memory_too() {
        let mut filter = Filter::sized(10_000, 1000);
        let number = |name: &str, n: u64| u64::from_be_bytes(*digest(name, n).as_bytes().first_chunk().unwrap());
        (0..10_000).for_each(|n| filter.add(number("in", n)));
        assert!((0..10_000).all(|n| filter.may_contain(number("in", n))));
        let errors = (0..100_000).filter(|n| filter.may_contain(number("out", *n))).count();
        assert!((20..400).contains(&errors), "{errors} of 100,000 strangers, where 100 are expected");
    }
}
