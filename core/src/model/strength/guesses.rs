//! How many guesses a piece of a password takes, by its pattern.

use super::patterns::{Match, Pattern, number};

/// Signs a guesser tries for a character that follows no pattern: fewer than there are, for people choose badly.
const BRUTE_FORCE: f64 = 10.0;
/// The fewest guesses for a piece of a longer password: of one character, and of more.
const LEAST_ONE: f64 = 10.0;
const LEAST_MORE: f64 = 50.0;
/// A year counts as at least this far from the current one.
const LEAST_YEARS: u32 = 20;

/// Keys one can start from, and the neighbours that a key has on average, on keyboards and on keypads.
const KEYBOARD: (f64, f64) = (94.0, 4.0);
const KEYPAD: (f64, f64) = (15.0, 5.0);

/// Guesses for a match of this password; those for years and dates grow with the distance from the current year.
pub(super) fn of(found: &Match, password: &[char], current_year: i32) -> f64 {
    let token = password.get(found.start..found.end).unwrap_or_default();
    let least = match token.len() {
        length if length >= password.len() => 1.0,
        1 => LEAST_ONE,
        _ => LEAST_MORE,
    };
    by_pattern(&found.pattern, token, current_year).max(least)
}

/// Guesses for characters without a pattern: always one more than the least, so that patterns go first.
pub(super) fn brute_force(length: usize) -> f64 {
    let least = if length == 1 { LEAST_ONE } else { LEAST_MORE };
    BRUTE_FORCE.powi(i32::try_from(length).unwrap_or(i32::MAX)).max(least + 1.0)
}

fn by_pattern(pattern: &Pattern, token: &[char], current_year: i32) -> f64 {
    let years = |year: &i32| f64::from(year.abs_diff(current_year).max(LEAST_YEARS));
    match pattern {
        Pattern::BruteForce => brute_force(token.len()),
        Pattern::Word { rank, reversed, substitutions, .. } => {
            let direction = if *reversed { 2.0 } else { 1.0 };
            f64::from(*rank) * capitals(token) * signs(token, substitutions) * direction
        }
        Pattern::Keys { keypad, turns, shifted } => {
            keys(if *keypad { KEYPAD } else { KEYBOARD }, *turns, *shifted, token)
        }
        Pattern::Repeat { base_guesses, count, .. } => base_guesses * number(*count),
        Pattern::Sequence { ascending } => {
            let start = match token.first() {
                Some('a' | 'A' | 'z' | 'Z' | '0' | '1' | '9') => 4.0,
                Some(digit) if digit.is_ascii_digit() => 10.0,
                _ => 26.0,
            };
            let direction = if *ascending { 1.0 } else { 2.0 };
            start * direction * number(token.len())
        }
        Pattern::RecentYear { year } => years(year),
        Pattern::Date { year, separated } => years(year) * 365.0 * if *separated { 4.0 } else { 1.0 },
    }
}

/// Ways to choose capitals as these are or more simply.
fn capitals(token: &[char]) -> f64 {
    let upper = token.iter().filter(|c| c.is_uppercase()).count();
    let lower = token.iter().filter(|c| c.is_lowercase()).count();
    let ends = [token.first(), token.last()];
    if lower == token.len() || token.iter().flat_map(|c| c.to_lowercase()).eq(token.iter().copied()) {
        1.0
    } else if upper == token.len() || (upper == 1 && ends.iter().any(|c| c.is_some_and(|c| c.is_uppercase()))) {
        2.0
    } else {
        choices(upper, lower)
    }
}

/// Ways to write so many of the letters as signs.
fn signs(token: &[char], substitutions: &[(char, char)]) -> f64 {
    let lower: Vec<char> = token.iter().flat_map(|c| c.to_lowercase()).collect();
    let count = |wanted: char| lower.iter().filter(|c| **c == wanted).count();
    let ways = |(sign, letter): &(char, char)| match (count(*sign), count(*letter)) {
        (0, _) | (_, 0) => 2.0,
        (signs, letters) => choices(signs, letters),
    };
    substitutions.iter().map(ways).product()
}

/// Walks of this length or less with as many turns or fewer.
fn keys((starts, degree): (f64, f64), turns: usize, shifted: usize, token: &[char]) -> f64 {
    let mut guesses = 0.0;
    for length in 2..=token.len() {
        let mut ways = starts;
        for turn in 1..=turns.min(length - 1) {
            ways *= degree;
            guesses += choose(length - 1, turn - 1) * ways;
        }
    }
    match (shifted, token.len().saturating_sub(shifted)) {
        (0, _) => guesses,
        (_, 0) => guesses * 2.0,
        (shifted, plain) => guesses * choices(shifted, plain),
    }
}

/// Ways to choose up to the smaller of the two from both.
fn choices(one: usize, other: usize) -> f64 {
    (1..=one.min(other)).map(|some| choose(one + other, some)).sum()
}

/// The binomial coefficient.
fn choose(from: usize, some: usize) -> f64 {
    (1..=some).fold(1.0, |ways, at| ways * number((from + 1).saturating_sub(at)) / number(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomials() {
        assert!((choose(5, 2) - 10.0).abs() < 1e-9);
        assert!((choose(5, 0) - 1.0).abs() < 1e-9);
        assert!(choose(2, 3).abs() < 1e-9);
        assert!((choices(2, 2) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn capitals_cost_what_they_are_worth() {
        let of = |token: &str| capitals(&token.chars().collect::<Vec<_>>());
        let near = |token: &str, wanted: f64| assert!((of(token) - wanted).abs() < 1e-9, "{token}");
        near("word", 1.0);
        near("1234", 1.0);
        near("Word", 2.0);
        near("worD", 2.0);
        near("WORD", 2.0);
        near("wOrD", 10.0);
    }
}
