//! Passwords: any Unicode, NFKC before anything else, long enough and hard to guess. No composition rules.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::model::code::Code;
use crate::model::normal_form::nfkc;
use crate::model::strength::{StrengthContext, Suggestion, Warning, estimate};

/// The longest input in bytes; a longer one is refused before any work.
const RAW_MAX: usize = 4096;

/// A password, normalised. Wiped when dropped; `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

/// The rules for a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRules {
    /// Fewest characters.
    pub min_length: usize,
    /// Most characters.
    pub max_length: usize,
    /// Lowest zxcvbn score, 0 to 4.
    pub min_score: u8,
}

impl PasswordRules {
    /// NIST SP 800-63B-4 for a password with an optional second factor: 8 characters.
    #[must_use]
    pub const fn nist_mfa() -> Self {
        Self { min_length: 8, max_length: 256, min_score: 3 }
    }

    /// NIST SP 800-63B-4 for a password without a second factor: 15 characters.
    #[must_use]
    pub const fn nist_single() -> Self {
        Self { min_length: 15, ..Self::nist_mfa() }
    }
}

/// The rule that a new password violates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer characters than `min`.
    #[error("the password has fewer than {min} characters")]
    TooShort {
        /// Characters it needs.
        min: usize,
    },
    /// More characters than `max`.
    #[error("the password has more than {max} characters")]
    TooLong {
        /// Characters it may have.
        max: usize,
    },
    /// Too easy to guess.
    #[error("the password is too easy to guess")]
    TooWeak {
        /// Its score.
        score: u8,
        /// The score it needs.
        min_score: u8,
        /// The reason why it is weak.
        warning: Option<Warning>,
        /// Suggestions for a stronger one.
        suggestions: Vec<Suggestion>,
    },
}

impl PasswordError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooShort { .. } => Code::PasswordTooShort,
            Self::TooLong { .. } => Code::PasswordTooLong,
            Self::TooWeak { .. } => Code::PasswordTooWeak,
        }
    }

    /// A sentence for a person.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::TooShort { min } => format!("Use at least {min} characters."),
            Self::TooLong { max } => format!("Use at most {max} characters."),
            Self::TooWeak { warning, suggestions, .. } => {
                let mut sentences = vec!["This password is too easy to guess.".to_owned()];
                sentences.extend(warning.iter().map(|warning| warning.text().to_owned()));
                sentences.extend(suggestions.iter().map(|suggestion| suggestion.text().to_owned()));
                sentences.join(" ")
            }
        }
    }
}

impl Password {
    /// Reads a new password.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse_new(text: &str, rules: &PasswordRules, context: &StrengthContext) -> Result<Self, Vec<PasswordError>> {
        let Some(password) = Self::from_login_input(text) else {
            return Err(vec![PasswordError::TooLong { max: rules.max_length }]);
        };
        let mut errors = password.length_errors(rules);
        errors.extend(weakness(&password.0, rules, context));
        if errors.is_empty() { Ok(password) } else { Err(errors) }
    }

    /// Parses a new password without measuring its strength: a page does not load the lists of words before it
    /// needs them.
    ///
    /// # Errors
    /// A violation of the length rules.
    pub fn parse_without_strength_check(text: &str, rules: &PasswordRules) -> Result<Self, Vec<PasswordError>> {
        let Some(password) = Self::from_login_input(text) else {
            return Err(vec![PasswordError::TooLong { max: rules.max_length }]);
        };
        let errors = password.length_errors(rules);
        if errors.is_empty() { Ok(password) } else { Err(errors) }
    }

    fn length_errors(&self, rules: &PasswordRules) -> Vec<PasswordError> {
        let length = self.0.chars().count();
        let mut errors = Vec::new();
        if length < rules.min_length {
            errors.push(PasswordError::TooShort { min: rules.min_length });
        }
        if length > rules.max_length {
            errors.push(PasswordError::TooLong { max: rules.max_length });
        }
        errors
    }

    /// A password as typed at a login: only its size is bounded. `None` for a text that is too long for any password.
    #[must_use]
    pub fn from_login_input(text: &str) -> Option<Self> {
        (text.len() <= RAW_MAX).then(|| Self(nfkc(text)))
    }

    /// The text, for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Why a password, in its normal form, is too easy to guess, if it is.
#[must_use]
pub fn weakness(normal: &str, rules: &PasswordRules, context: &StrengthContext) -> Option<PasswordError> {
    let strength = estimate(normal, context);
    (strength.score < rules.min_score).then_some(PasswordError::TooWeak {
        score: strength.score,
        min_score: rules.min_score,
        warning: strength.warning,
        suggestions: strength.suggestions,
    })
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(text: &str, rules: &PasswordRules) -> Vec<Code> {
        match Password::parse_new(text, rules, &StrengthContext::of_year(2026)) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(PasswordError::code).collect(),
        }
    }

    #[test]
    fn every_violation_is_reported() {
        let rules = PasswordRules::nist_mfa();
        assert_eq!(codes("SecureP@ssw0rd123!", &rules), []);
        assert_eq!(codes("Пароль за огородом 7", &rules), []);
        assert_eq!(codes("", &rules), [Code::PasswordTooShort, Code::PasswordTooWeak]);
        assert_eq!(codes("password", &rules), [Code::PasswordTooWeak]);
        assert_eq!(codes("kq7!Zp2", &rules), [Code::PasswordTooShort, Code::PasswordTooWeak]);
        assert_eq!(codes(&"correct horse battery staple ".repeat(10), &rules), [Code::PasswordTooLong]);
        assert_eq!(codes(&"x".repeat(10_000_000), &rules), [Code::PasswordTooLong]);
        assert_eq!(codes("kq7!Zp2#vW9x", &PasswordRules::nist_single()), [Code::PasswordTooShort]);
    }

    #[test]
    fn keyboards_that_compose_differently_agree() {
        let (composed, decomposed) =
            (Password::from_login_input("caf\u{e9}"), Password::from_login_input("cafe\u{301}"));
        assert_eq!(composed.unwrap().expose(), decomposed.unwrap().expose());
        assert!(Password::from_login_input(&"x".repeat(4097)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn normalising_twice_is_normalising_once(text in any::<String>()) {
            if let Some(password) = Password::from_login_input(&text) {
                let again = Password::from_login_input(password.expose());
                prop_assert!(again.is_none_or(|again| again == password));
            }
            let _ = Password::parse_new(&text, &PasswordRules::nist_mfa(), &StrengthContext::of_year(2026));
        }
    }
}
