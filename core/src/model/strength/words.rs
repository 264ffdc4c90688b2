//! The words attackers try first: common passwords, English, names. About 94,000, each in one list only, packed by
//! `cargo xtask pack-dictionary` from the lists of zxcvbn (MIT), unpacked once.
//!
//! Packed: three streams after their lengths. Words sorted, each as 128 + how many letters it shares with the one
//! before, then the rest of it; then a low byte a word, then a high one: four bits of list over four of rank. A rank
//! is exact below 512 and kept to nine significant bits above, which moves no estimate by more than a five-hundredth.

use std::sync::OnceLock;

static PACKED: &[u8] = include_bytes!("words.bin");

/// Significant bits of a rank after the first.
const MANTISSA: u32 = 8;

/// Where a word is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    /// Leaked passwords.
    Passwords,
    /// Wikipedia.
    English,
    /// Given names.
    FemaleNames,
    /// Family names.
    Surnames,
    /// Films and television.
    UsTvAndFilm,
    /// Given names.
    MaleNames,
    /// The user's own data, such as the name and the e-mail.
    Own,
}

/// All words, sorted, to be searched letter by letter.
pub(super) struct Words {
    letters: Vec<u8>,
    /// Where each word begins, and where the last one ends.
    starts: Vec<u32>,
    ranks: Vec<u16>,
    /// Where the words begin that begin with each two letters: most of a search's steps are spared so.
    pairs: Vec<u32>,
}

/// The words that begin with the characters read so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefixed {
    from: usize,
    to: usize,
    depth: usize,
}

impl Words {
    /// The one copy of this process.
    pub(super) fn get() -> &'static Self {
        static WORDS: OnceLock<Words> = OnceLock::new();
        WORDS.get_or_init(|| Self::unpack(PACKED))
    }

    fn unpack(packed: &[u8]) -> Self {
        let length = |at: usize| {
            let bytes = packed.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
            bytes.map_or(0, |bytes| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(0))
        };
        let (count, spelled) = (length(0), length(4));
        let streams = packed.get(8..).unwrap_or_default();
        let (spelling, streams) = streams.split_at_checked(spelled).unwrap_or_default();
        let (low, high) = streams.split_at_checked(count).unwrap_or_default();
        let (letters, starts) = spell(spelling, count);
        let ranks = low.iter().zip(high).map(|(low, high)| u16::from_le_bytes([*low, *high])).collect();
        let mut words = Self { letters, starts, ranks, pairs: Vec::new() };
        words.pairs = words.count_pairs();
        words
    }

    fn count_pairs(&self) -> Vec<u32> {
        let mut pairs = Vec::with_capacity(usize::from(PAIRS) + 1);
        for (at, word) in (0u32..).zip(0..self.ranks.len()) {
            let pair = usize::from(pair(self.word(word)));
            while pairs.len() <= pair {
                pairs.push(at);
            }
        }
        pairs.resize(usize::from(PAIRS) + 1, u32::try_from(self.ranks.len()).unwrap_or(u32::MAX));
        pairs
    }

    /// The words that begin with a letter.
    pub(super) fn first(&self, letter: char) -> Option<Prefixed> {
        let letter = u8::try_from(letter).ok().filter(u8::is_ascii)?;
        self.of_pairs(pair(&[letter]), pair(&[letter]) + LETTERS, 1)
    }

    /// Those of them that go on with a letter.
    pub(super) fn next(&self, prefixed: Prefixed, letter: char) -> Option<Prefixed> {
        let letter = u8::try_from(letter).ok().filter(u8::is_ascii)?;
        if prefixed.depth == 1 {
            let first = self.word(prefixed.from).first().copied()?;
            return self.of_pairs(pair(&[first, letter]), pair(&[first, letter]) + 1, 2);
        }
        self.narrow(prefixed, letter)
    }

    fn of_pairs(&self, first: u16, end: u16, depth: usize) -> Option<Prefixed> {
        let place = |pair: u16| self.pairs.get(usize::from(pair)).and_then(|at| usize::try_from(*at).ok());
        let (from, to) = (place(first)?, place(end)?);
        (from < to).then_some(Prefixed { from, to, depth })
    }

    /// The word that equals the characters read so far.
    pub(super) fn exact(&self, prefixed: Prefixed) -> Option<(List, u32)> {
        let word = self.word(prefixed.from);
        if word.len() != prefixed.depth {
            return None;
        }
        let packed = self.ranks.get(prefixed.from).copied()?;
        let list = match packed >> 12 {
            0 => List::Passwords,
            1 => List::English,
            2 => List::FemaleNames,
            3 => List::Surnames,
            4 => List::UsTvAndFilm,
            _ => List::MaleNames,
        };
        Some((list, rank(u32::from(packed & 0xfff))))
    }

    fn narrow(&self, Prefixed { from, to, depth }: Prefixed, letter: u8) -> Option<Prefixed> {
        let letter_of = |word: usize| self.word(word).get(depth).copied();
        let first = search(from, to, |word| letter_of(word) < Some(letter));
        // few words share this much: the end is near
        let mut step = 1;
        while first + step < to && letter_of(first + step) == Some(letter) {
            step *= 2;
        }
        let end = search(first, to.min(first + step), |word| letter_of(word) <= Some(letter));
        (first < end).then_some(Prefixed { from: first, to: end, depth: depth + 1 })
    }

    fn word(&self, at: usize) -> &[u8] {
        let place = |at: usize| self.starts.get(at).and_then(|start| usize::try_from(*start).ok()).unwrap_or_default();
        self.letters.get(place(at)..place(at + 1)).unwrap_or_default()
    }
}

/// A letter may be any of ASCII, or none where the word is over.
const LETTERS: u16 = 128;
const PAIRS: u16 = LETTERS * LETTERS;

/// The first two letters of a word as a number.
fn pair(word: &[u8]) -> u16 {
    let letter = |at: usize| word.get(at).copied().map_or(0, u16::from);
    letter(0) * LETTERS + letter(1)
}

/// The first of some for which it no longer holds.
fn search(mut from: usize, mut to: usize, holds: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = usize::midpoint(from, to);
        if holds(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

/// Words in full, one after the other, and where each begins.
fn spell(spelling: &[u8], count: usize) -> (Vec<u8>, Vec<u32>) {
    let mut letters: Vec<u8> = Vec::with_capacity(count * 8);
    let mut starts = Vec::with_capacity(count + 1);
    let mut start = 0;
    for byte in spelling {
        if let Some(shared) = byte.checked_sub(128) {
            let previous = start;
            start = letters.len();
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
            letters.extend_from_within(previous..(previous + usize::from(shared)).min(start));
        } else {
            letters.push(*byte);
        }
    }
    starts.push(u32::try_from(letters.len()).unwrap_or(u32::MAX));
    (letters, starts)
}

/// A rank from its twelve bits: as it is while it is small, else the middle of those that share them.
fn rank(packed: u32) -> u32 {
    let doublings = (packed >> MANTISSA).saturating_sub(1);
    let significant = packed - (doublings << MANTISSA);
    (significant << doublings) + ((1 << doublings) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(word: &str) -> Option<(List, u32)> {
        let words = Words::get();
        let mut letters = word.chars();
        let mut found = words.first(letters.next()?)?;
        for letter in letters {
            found = words.next(found, letter)?;
        }
        words.exact(found)
    }

    #[test]
    fn the_lists_are_whole() {
        let words = Words::get();
        assert_eq!((words.ranks.len(), words.starts.len()), (93_855, 93_856));
        assert!((1..93_855).all(|at| words.word(at - 1) < words.word(at)));
        assert_eq!(find("123456"), Some((List::Passwords, 1)));
        assert_eq!(find("password"), Some((List::Passwords, 2)));
        assert_eq!(find("the"), Some((List::English, 1)));
        assert_eq!(find("smith"), Some((List::Surnames, 1)));
        assert_eq!(find("james"), Some((List::MaleNames, 1)));
        assert_eq!(find("mary"), Some((List::FemaleNames, 1)));
        assert_eq!(find("you"), Some((List::UsTvAndFilm, 1)));
        assert_eq!(find("passwordd"), None);
        assert_eq!(find("paßword"), None);
    }

    #[test]
    fn ranks_are_exact_while_small_and_near_above() {
        assert!((0..512).all(|number| rank(number) == number));
        let all: Vec<u32> = (0..512 + 7 * 256).map(rank).collect();
        assert!(all.is_sorted());
        assert_eq!(rank(512), 513);
    }
}
