//! A realm: a separate set of users with its own URL prefix. Realms share nothing.

use std::fmt;
use std::sync::Arc;

/// The name of a realm, e.g. `User1`: a letter, then up to 31 letters, digits, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Realm(Arc<str>);

/// The text is not a realm's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a realm is a letter followed by up to 31 letters, digits, '_' or '-'")]
pub struct RealmError;

impl Realm {
    /// Reads a realm's name.
    ///
    /// # Errors
    /// [`RealmError`] for anything but the form above.
    pub fn parse(text: &str) -> Result<Self, RealmError> {
        let starts_well = text.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        let rest_is_fine = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if starts_well && rest_is_fine && text.len() <= 32 { Ok(Self(Arc::from(text))) } else { Err(RealmError) }
    }

    /// The name as configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_names_and_refuses_paths() {
        for good in ["User1", "a", "staff-eu_2"] {
            assert!(Realm::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1User", "a/b", "a b", "ü", ".well-known", &"a".repeat(33)] {
            assert!(Realm::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(text in any::<String>()) {
            if let Ok(realm) = Realm::parse(&text) {
                prop_assert_eq!(Realm::parse(realm.as_str()).unwrap(), realm);
            }
        }
    }
}
