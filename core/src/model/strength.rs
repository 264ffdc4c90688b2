//! How hard a password is to guess (zxcvbn), with the person's own words counted against it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Only so many characters are measured: the estimate grows with the square of the length, and what is this long and
/// still weak is weak in its first hundred.
const MEASURED: usize = 100;

/// Words a password must not lean on. Personal: `Debug` shows nothing, and they are wiped when dropped.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct StrengthContext {
    words: Vec<String>,
}

impl StrengthContext {
    /// From a person's names, their e-mail (whole, and every piece of it) and the application's name.
    #[must_use]
    pub fn new(names: &[&str], email: Option<&str>, app_name: &str) -> Self {
        let email = email.unwrap_or_default();
        let pieces = email.split(|c: char| !c.is_alphanumeric());
        let local = email.split('@').next().unwrap_or_default();
        let of_names = names.iter().flat_map(|name| std::iter::once(*name).chain(name.split_whitespace()));
        let all = of_names.chain([email, local, app_name]).chain(pieces);
        let words =
            all.filter(|word| word.chars().count() >= 2).map(|word| word.chars().take(MEASURED).collect::<String>());
        Self { words: words.map(|word| word.to_lowercase()).take(32).collect() }
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
    /// What is wrong with it, where something is.
    pub warning: Option<String>,
    /// How to do better.
    pub suggestions: Vec<String>,
}

/// Estimates a password.
#[must_use]
pub fn estimate(password: &str, context: &StrengthContext) -> Strength {
    let mut measured: String = password.chars().take(MEASURED).collect();
    let words: Vec<&str> = context.words.iter().map(String::as_str).collect();
    let entropy = zxcvbn::zxcvbn(&measured, &words);
    measured.zeroize();
    let feedback = entropy.feedback();
    Strength {
        score: u8::from(entropy.score()),
        guesses_log10: entropy.guesses_log10(),
        warning: feedback.and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string()),
        suggestions: feedback.map(|f| f.suggestions().iter().map(ToString::to_string).collect()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_persons_own_words_count_against_it() {
        let john = StrengthContext::new(&["John", "Featherstonehaugh"], Some("john.f@example.com"), "Portcullis");
        let nobody = StrengthContext::default();
        let password = "featherstonehaugh";
        assert!(estimate(password, &john).score < estimate(password, &nobody).score);
        assert!(estimate("SecureP@ssw0rd123!", &john).score >= 3);
        assert_eq!(estimate("password", &nobody).score, 0);
        assert!(estimate("password", &nobody).warning.is_some());
    }

    #[test]
    fn length_is_no_way_to_keep_us_busy() {
        assert!(estimate(&"aB3".repeat(1_000_000), &StrengthContext::default()).score <= 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_breaks_it(text in any::<String>(), name in any::<String>()) {
            let context = StrengthContext::new(&[&name], Some(&text), &name);
            prop_assert!(estimate(&text, &context).score <= 4);
        }
    }
}
