//! Names of people, in any script, stored as given. Escaping is left to the code that shows them.

use std::fmt;

use crate::model::code::Code;
use crate::model::invisible::is_invisible;
use crate::model::normal_form::nfc;

/// The longest name, in characters.
const MAX: usize = 100;

/// A given or family name: at most 100 characters after NFC and trimming. Only a family name may be empty: people with
/// one name exist. Personal: `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left after trimming, or nothing that can be seen.
    #[error("the name is empty")]
    Empty,
    /// More than 100 characters.
    #[error("the name is too long")]
    TooLong,
    /// A control, line-break or text-direction character.
    #[error("the name has a forbidden character")]
    ForbiddenCharacter,
}

impl NameError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Empty => Code::NameEmpty,
            Self::TooLong => Code::NameTooLong,
            Self::ForbiddenCharacter => Code::NameForbiddenCharacter,
        }
    }
}

/// Characters that turn the direction of a text and could make it read as another.
#[must_use]
pub const fn is_directional(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

impl PersonName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // normalisation never makes a hundred characters of this many bytes
        if text.len() > MAX * 64 {
            return Err(NameError::TooLong);
        }
        let name = nfc(text);
        let name = name.trim();
        if name.chars().any(|c| c.is_control() || is_directional(c) || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(NameError::ForbiddenCharacter);
        }
        // joiners belong to scripts, but a name of nothing else cannot be seen
        if name.chars().all(|c| is_invisible(c) || c.is_whitespace()) {
            return Err(NameError::Empty);
        }
        if name.chars().count() > MAX {
            return Err(NameError::TooLong);
        }
        Ok(Self(name.to_owned()))
    }

    /// Reads a family name, which may be empty.
    ///
    /// # Errors
    /// `TooLong` or `ForbiddenCharacter`.
    pub fn parse_family_name(text: &str) -> Result<Self, NameError> {
        match Self::parse(text) {
            Err(NameError::Empty) => Ok(Self(String::new())),
            parsed => parsed,
        }
    }

    /// A name that was read before it was sealed. Not read again: a rule that has become stricter since must not keep
    /// anyone from their own name.
    pub(crate) const fn from_stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kept_as_given() {
        for name in ["O'Brien", "María José", "李小龍", "Ng", "X Æ A-12", "<script>", "म\u{94d}\u{200d}य", "d’Arc"]
        {
            assert_eq!(PersonName::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(PersonName::parse("  Zoe\u{308} ").unwrap().as_str(), "Zoë");
    }

    #[test]
    fn invalid_names_are_refused() {
        use NameError::{Empty, ForbiddenCharacter, TooLong};
        for (text, error) in [
            ("", Empty),
            (" \u{3000} ", Empty),
            ("\u{200d}\u{200b}", Empty),
            ("a\nb", ForbiddenCharacter),
            ("a\u{0}", ForbiddenCharacter),
            ("a\u{202e}b", ForbiddenCharacter),
            ("a\u{2028}b", ForbiddenCharacter),
            ("a\u{85}b", ForbiddenCharacter),
        ] {
            assert_eq!(PersonName::parse(text), Err(error), "{text:?}");
        }
        assert!(PersonName::parse(&"ü".repeat(100)).is_ok());
        assert_eq!(PersonName::parse(&"ü".repeat(101)), Err(TooLong));
        assert_eq!(PersonName::parse(&"x".repeat(10_000_000)), Err(TooLong));
    }

    #[test]
    fn a_family_name_may_be_empty() {
        for text in ["", "  ", "\u{200b}"] {
            assert_eq!(PersonName::parse_family_name(text).unwrap().as_str(), "", "{text:?}");
        }
        assert_eq!(PersonName::parse_family_name(" Doe ").unwrap().as_str(), "Doe");
        assert_eq!(PersonName::parse_family_name("a\nb"), Err(NameError::ForbiddenCharacter));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(text in any::<String>()) {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert_eq!(PersonName::parse(name.as_str()), Ok(name.clone()));
                prop_assert_eq!(PersonName::parse_family_name(name.as_str()), Ok(name));
            }
        }
    }
}
