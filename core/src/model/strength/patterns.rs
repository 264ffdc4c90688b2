//! The patterns that a guesser finds in a password.

use super::words::List;

/// A piece of a password that follows a pattern: characters `start..end`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Match {
    pub(super) start: usize,
    /// One past the last character.
    pub(super) end: usize,
    pub(super) pattern: Pattern,
}

/// A pattern that guessers try before they try everything.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    /// None: every character has to be tried.
    BruteForce,
    /// A word of a list.
    Word {
        list: List,
        rank: u32,
        reversed: bool,
        /// Which characters stand for which letters, where some do.
        substitutions: Vec<(char, char)>,
    },
    /// Keys that are neighbours.
    Keys { keypad: bool, turns: usize, shifted: usize },
    /// The same again and again.
    Repeat {
        /// Characters of what is repeated.
        base: usize,
        base_guesses: f64,
        count: usize,
    },
    /// Even steps through the alphabet.
    Sequence { ascending: bool },
    /// A year of the last or this century.
    RecentYear { year: i32 },
    /// A day, a month and a year.
    Date { year: i32, separated: bool },
}

/// A small count as a number to multiply with.
pub(super) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
