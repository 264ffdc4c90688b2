//! How hard a password is to guess, with the person's own words counted against it.
//!
//! The estimate is zxcvbn's, as published (Wheeler, USENIX Security 2016): find every pattern a guesser would try,
//! then the cheapest way to put the password together from them. It is reimplemented here because the crate, with its
//! regular expressions and hash maps, is twice the size a page can load; the crate is the oracle of the tests, and
//! scores agree with it.

mod advice;
mod cheapest;
mod dates;
mod dictionary;
mod guesses;
mod keyboard;
mod patterns;
mod regularities;
mod words;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use advice::{Suggestion, Warning};

/// Only so many characters are measured: the estimate grows with the square of the length, and what is this long and
/// still weak is weak in its first hundred.
const MEASURED: usize = 100;

/// The context of a strength estimate: words that it must not lean on, and the current year, near which dates are easy
/// to guess. The words are personal: `Debug` shows nothing, and they are wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StrengthContext {
    words: Vec<String>,
    current_year: i32,
}

impl StrengthContext {
    /// From a person's names, their e-mail (whole, and every piece of it), the application's name and the current year:
    /// in the server that of its clock, in a page that of the caller.
    #[must_use]
    pub fn new(names: &[&str], email: Option<&str>, app_name: &str, current_year: i32) -> Self {
        let email = email.unwrap_or_default();
        let pieces = email.split(|c: char| !c.is_alphanumeric());
        let local = email.split('@').next().unwrap_or_default();
        let of_names = names.iter().flat_map(|name| std::iter::once(*name).chain(name.split_whitespace()));
        let all = of_names.chain([email, local, app_name]).chain(pieces);
        let words =
            all.filter(|word| word.chars().count() >= 2).map(|word| word.chars().take(MEASURED).collect::<String>());
        let words = words.map(|word| word.chars().flat_map(char::to_lowercase).collect()).take(32).collect();
        Self { words, current_year }
    }

    /// Without words.
    #[must_use]
    pub const fn of_year(current_year: i32) -> Self {
        Self { words: Vec::new(), current_year }
    }
}

impl fmt::Debug for StrengthContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StrengthContext(redacted)")
    }
}

/// An estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Strength {
    /// 0 (too guessable) to 4 (very unguessable).
    pub score: u8,
    /// The guesses an attacker needs, as a power of ten.
    pub guesses_log10: f64,
    /// The reason why it is weak, if it is.
    pub warning: Option<Warning>,
    /// Suggestions for a stronger one.
    pub suggestions: Vec<Suggestion>,
}

/// Estimates a password.
#[must_use]
pub fn estimate(password: &str, context: &StrengthContext) -> Strength {
    let measured: Zeroizing<Vec<char>> = Zeroizing::new(password.chars().take(MEASURED).collect());
    let (guesses, pieces) = analyse(&measured, context);
    // a few guesses more than the power of ten still count as it
    let score = [1e3, 1e6, 1e8, 1e10].iter().filter(|limit| guesses >= *limit + 5.0).count();
    let score = u8::try_from(score).unwrap_or(4);
    let (warning, suggestions) = advice::of(&measured, score, &pieces);
    Strength { score, guesses_log10: guesses.log10(), warning, suggestions }
}

/// How much shorter a text is as a list of words than as letters: powers of ten by which words make it easier to guess.
///
/// Each word of four letters or more costs its rank and its place, and saves its letters. A random text saves `n` with a
/// probability of about one in 10^n, so that a large number means that a person wrote it.
#[must_use]
pub fn saved_by_words(text: &str) -> f64 {
    let measured: Zeroizing<Vec<char>> = Zeroizing::new(text.chars().take(MEASURED).collect());
    dictionary::saved_by_words(&measured)
}

/// Unpacks the lists of words, which the first estimate would otherwise wait for: some milliseconds.
pub fn prepare() {
    words::Words::get();
}

/// The fewest guesses for a text, and the patterns it is then made of.
fn analyse(text: &[char], context: &StrengthContext) -> (f64, Vec<patterns::Match>) {
    let mut matches = dictionary::matches(text, &context.words);
    matches.extend(keyboard::matches(text));
    matches.extend(regularities::repeats(text, &mut |base| analyse(base, context).0));
    matches.extend(regularities::sequences(text));
    matches.extend(dates::recent_years(text));
    matches.extend(dates::dates(text, context.current_year));
    // the cheapest way depends on the order: a way that costs more so far is dropped, even if it would cost less later
    matches.sort_by_key(|found| found.start);
    cheapest::way(text, &matches, context.current_year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_persons_own_words_make_a_password_weaker() {
        let john = StrengthContext::new(&["John", "Featherstonehaugh"], Some("john.f@example.com"), "Portcullis", 2026);
        let nobody = StrengthContext::of_year(2026);
        let password = "featherstonehaugh";
        assert!(estimate(password, &john).score < estimate(password, &nobody).score);
        assert!(estimate("SecureP@ssw0rd123!", &john).score >= 3);
        assert_eq!(estimate("password", &nobody).score, 0);
        assert_eq!(estimate("password", &nobody).warning, Some(Warning::Top10));
    }

    #[test]
    fn words_save_nothing_of_random_text() {
        assert!(saved_by_words("a-string-secret-at-least-256-bits-long") > 8.0);
        assert!(saved_by_words("This is my very long production secret") > 8.0);
        assert!(saved_by_words("kX9vQ2mT7rB4nL8yW3pZ6sD1fG5hJ0cV") < 3.0);
        assert!(saved_by_words("") < 0.1);
    }

    #[test]
    fn a_long_password_costs_bounded_time() {
        assert!(estimate(&"aB3".repeat(1_000_000), &StrengthContext::of_year(2026)).score <= 4);
    }

    /// The score of the crate that the estimate must agree with.
    fn oracle(password: &str) -> u8 {
        zxcvbn::zxcvbn(password, &[]).score().into()
    }

    /// The year of the crate's own calendar: it takes one guess more for 1900 than years have passed since.
    fn oracle_year() -> i32 {
        i32::try_from(1900 + zxcvbn::zxcvbn("1900", &[]).guesses() - 1).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn scores_match_the_zxcvbn_crate(password in "[ -~]{1,14}|[a-e]{1,9}|[0-9./-]{1,12}|[1|!7il4@a0o$5s]{1,10}|[qwertyasdfghzxcvb!@#QWE]{1,10}|[0-9+*/=.-]{3,9}|(19|20)[0-9]{2}[a-z]{2,5}|\\PC{1,8}") {
            prop_assert_eq!(estimate(&password, &StrengthContext::of_year(oracle_year())).score, oracle(&password));
        }
    }

    /// A date takes as many guesses as years lie between, at least twenty: 35 of them are just enough for score 3 here.
    #[test]
    fn dates_are_judged_by_the_given_year() {
        let score = |password: &str, year| estimate(password, &StrengthContext::of_year(year)).score;
        let old = "kqz13.12.1991";
        assert_eq!([1991, 2025, 2026, 2060].map(|year| score(old, year)), [2, 2, 3, 3]);
        let next_year = "kqz01.01.2027";
        assert_eq!([1992, 1993, 2026, 2027].map(|year| score(next_year, year)), [3, 2, 2, 2]);
        let guesses = |year| estimate("1950", &StrengthContext::of_year(year)).guesses_log10;
        assert!(guesses(2000) < guesses(2026) && guesses(2026) < guesses(2027));
    }

    #[test]
    fn an_earlier_start_is_looked_at_first() {
        // the date 01900 keeps the year 1900 out, which would have been cheaper in the end
        assert_eq!(estimate("01900-0006-", &StrengthContext::of_year(2026)).score, 4);
    }

    #[test]
    fn a_password_of_symbols_costs_bounded_time() {
        let signs = "4@8({[<3691!|170$5+7%2".repeat(5);
        assert!(estimate(&signs, &StrengthContext::of_year(2026)).score <= 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_or_year_breaks_it(text in any::<String>(), name in any::<String>(), year in any::<i32>()) {
            let context = StrengthContext::new(&[&name], Some(&text), &name, year);
            prop_assert!(estimate(&text, &context).score <= 4);
        }
    }
}
