//! Something shaped like a keyed hash for fakes. It spreads bits well and protects nothing: never a substitute for
//! the cryptography behind the real ports.

const LANES: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// Four `SplitMix64` lanes over framed parts.
#[derive(Debug, Clone)]
pub(crate) struct FakeMac([u64; 4]);

impl FakeMac {
    pub(crate) fn new(seed: u64) -> Self {
        Self(LANES.map(|lane| scramble(seed ^ lane)))
    }

    /// Takes in one part; its length goes first, so that no two lists of parts run together.
    pub(crate) fn part(mut self, bytes: &[u8]) -> Self {
        self.take(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.take(u64::from_le_bytes(word));
        }
        self
    }

    fn take(&mut self, word: u64) {
        for (state, lane) in self.0.iter_mut().zip(LANES) {
            *state = scramble(state.wrapping_mul(0x0100_0000_01b3) ^ word.wrapping_add(lane));
        }
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, state) in bytes.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&scramble(state).to_le_bytes());
        }
        bytes
    }
}

/// The finaliser of `SplitMix64`.
pub(crate) const fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The value under a key stream of `key` and `nonce`; applied twice it is the value again.
pub(crate) fn mask(key: &[u8], nonce: &[u8], value: &[u8]) -> Vec<u8> {
    let block = |number: u64| FakeMac::new(number).part(key).part(nonce).finish();
    let stream = (0u64..).flat_map(block);
    value.iter().zip(stream).map(|(byte, mask)| byte ^ mask).collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// The bytes of lower-case hexadecimal digits; no other spelling.
pub(crate) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = digits.as_bytes().chunks(2).map(pair).collect::<Option<_>>()?;
    (hex(&bytes) == digits).then_some(bytes)
}
