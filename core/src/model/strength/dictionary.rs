//! Words of the lists and the person's own, as they are, backwards, and with digits and signs for letters.

use super::patterns::{Match, Pattern, number};
use super::words::{List, Words};

/// Signs that people write for a letter.
const SIGNS: [(char, &[char]); 12] = [
    ('a', &['4', '@']),
    ('b', &['8']),
    ('c', &['(', '{', '[', '<']),
    ('e', &['3']),
    ('g', &['6', '9']),
    ('i', &['1', '!', '|']),
    ('l', &['1', '|', '7']),
    ('o', &['0']),
    ('s', &['$', '5']),
    ('t', &['+', '7']),
    ('x', &['%']),
    ('z', &['2']),
];

/// Shorter words appear in random text too often to mean anything.
const SHORTEST_WORD: usize = 4;

/// Which sign stands for which letter, in the order of the signs.
type Substitutions = Vec<(char, char)>;

/// A word at a place.
struct Found {
    start: usize,
    end: usize,
    list: List,
    rank: u32,
}

/// All dictionary matches.
pub(super) fn matches(password: &[char], own: &[String]) -> Vec<Match> {
    let as_is = find(password, own).into_iter().map(|found| found.plain(false));
    let backwards: Vec<char> = password.iter().rev().copied().collect();
    let length = password.len();
    let mirrored = |found: Found| {
        let (start, end) = (length - found.end, length - found.start);
        Found { start, end, ..found }.plain(true)
    };
    let mut matches: Vec<Match> = as_is.chain(find(&backwards, own).into_iter().map(mirrored)).collect();
    substituted(password, own, &mut matches);
    matches
}

impl Found {
    fn plain(self, reversed: bool) -> Match {
        self.with(reversed, Vec::new())
    }

    fn with(self, reversed: bool, substitutions: Vec<(char, char)>) -> Match {
        let Self { start, end, list, rank } = self;
        Match { start, end, pattern: Pattern::Word { list, rank, reversed, substitutions } }
    }
}

/// Every word that begins anywhere, whatever its case.
fn find(password: &[char], own: &[String]) -> Vec<Found> {
    let words = Words::get();
    let lower: Vec<char> = password.iter().flat_map(|c| c.to_lowercase()).collect();
    let mut found = Vec::new();
    for start in 0..password.len() {
        let rest = lower.get(start..password.len()).unwrap_or_default();
        let mut letters = rest.iter().zip(start + 1..);
        let mut prefixed = letters.next().and_then(|(letter, end)| Some((words.first(*letter)?, end)));
        while let Some((prefix, end)) = prefixed {
            if let Some((list, rank)) = words.exact(prefix) {
                found.push(Found { start, end, list, rank });
            }
            prefixed = letters.next().and_then(|(letter, end)| Some((words.next(prefix, *letter)?, end)));
        }
        for (word, rank) in own.iter().zip(1..) {
            let length = word.chars().count();
            if rest.get(..length).is_some_and(|here| here.iter().copied().eq(word.chars())) {
                found.push(Found { start, end: start + length, list: List::Own, rank });
            }
        }
    }
    found
}

/// The most that disjoint words of at least four letters save, as powers of ten.
pub(super) fn saved_by_words(text: &[char]) -> f64 {
    // a letter of hexadecimal digits is one of sixteen signs
    let letters: f64 = if text.iter().all(|c| c.is_ascii_hexdigit() || *c == '-') { 16.0 } else { 26.0 };
    let place = number(text.len().max(1)).log10();
    let words: Vec<(usize, usize, f64)> = find(text, &[])
        .into_iter()
        .filter(|found| found.end - found.start >= SHORTEST_WORD)
        .filter(|found| text.get(found.start..found.end).is_some_and(|word| word.iter().all(|c| c.is_alphabetic())))
        .map(|Found { start, end, rank, .. }| {
            (start, end, number(end - start) * letters.log10() - f64::from(rank).log10() - place)
        })
        .collect();
    let mut best = vec![0.0_f64];
    for end in 1..=text.len() {
        let before = best.last().copied().unwrap_or_default();
        let with_word = words.iter().filter(|(_, last, _)| *last == end);
        let saved = with_word.filter_map(|(start, _, saved)| Some(best.get(*start)? + saved)).fold(before, f64::max);
        best.push(saved);
    }
    best.last().copied().unwrap_or_default()
}

/// Words that appear once signs are read as letters.
fn substituted(password: &[char], own: &[String], matches: &mut Vec<Match>) {
    for substitutions in readings(password) {
        let letter = |sign: char| substitutions.iter().find(|(from, _)| *from == sign).map_or(sign, |(_, to)| *to);
        let read: Vec<char> = password.iter().map(|sign| letter(*sign)).collect();
        for found in find(&read, own) {
            let token = password.get(found.start..found.end).unwrap_or_default();
            let used = substitutions.iter().filter(|(sign, _)| token.contains(sign)).copied().collect();
            let found = found.with(false, used);
            // the same word is found by every reading that agrees on its signs
            if !token.is_empty() && !matches.contains(&found) {
                matches.push(found);
            }
        }
    }
}

/// All ways to read the signs of a password: each letter takes one of its signs, each sign stands for one letter.
fn readings(password: &[char]) -> Vec<Substitutions> {
    let mut readings = vec![Substitutions::new()];
    for (letter, signs) in SIGNS {
        let present: Vec<char> = signs.iter().filter(|sign| password.contains(sign)).copied().collect();
        if present.is_empty() {
            continue;
        }
        let mut longer = Vec::new();
        let mut add = |reading: Substitutions| {
            if !longer.contains(&reading) {
                longer.push(reading);
            }
        };
        for (sign, reading) in present.iter().flat_map(|sign| readings.iter().map(move |reading| (*sign, reading))) {
            // a sign that is taken may keep its letter or change it
            if reading.iter().any(|(from, _)| *from == sign) {
                add(reading.clone());
            }
            let before = reading.iter().filter(|(from, _)| *from < sign);
            let after = reading.iter().filter(|(from, _)| *from > sign);
            add(before.copied().chain([(sign, letter)]).chain(after.copied()).collect());
        }
        readings = longer;
    }
    readings.retain(|reading| !reading.is_empty());
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(password: &str, own: &[&str]) -> Vec<(usize, usize, bool, usize)> {
        let chars: Vec<char> = password.chars().collect();
        let own: Vec<String> = own.iter().map(|word| (*word).to_owned()).collect();
        let row = |found: Match| match found.pattern {
            Pattern::Word { reversed, substitutions, .. } => (found.start, found.end, reversed, substitutions.len()),
            _ => unreachable!(),
        };
        matches(&chars, &own).into_iter().map(row).collect()
    }

    #[test]
    fn words_are_found_in_any_case_and_direction() {
        assert!(found("xPassWord", &[]).contains(&(1, 9, false, 0)));
        assert!(found("drowssap7", &[]).contains(&(0, 8, true, 0)));
        assert!(found("Пётр-1", &["пётр"]).contains(&(0, 4, false, 0)));
    }

    #[test]
    fn signs_are_read_as_letters() {
        assert!(found("p@ssw0rd", &[]).contains(&(0, 8, false, 2)));
        let chars: Vec<char> = "1|!7".chars().collect();
        assert!(readings(&chars).iter().all(|reading| reading.len() <= 4));
        assert!(readings(&[]).is_empty());
    }
}
