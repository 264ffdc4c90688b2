//! Roles: names that operators give to accounts. The applications behind the tokens decide their meaning.

use std::collections::BTreeSet;
use std::fmt;

/// Roles of one account. All of them fit into an access token.
const MAX_ROLES: usize = 32;
/// Characters of a name.
const MAX_LENGTH: usize = 32;

/// The role whose accounts may use the admin API.
const ADMIN: &str = "admin";

/// The name of a role, e.g. `billing:read`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(String);

impl RoleName {
    /// Reads 1 to 32 letters, digits, `.`, `_`, `:` and `-` of ASCII that begin with a letter or digit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte));
        (begins && rest && text.len() <= MAX_LENGTH).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The roles of an account: at most 32, each once, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Roles(BTreeSet<RoleName>);

impl Roles {
    /// The set of these; `None` for more than 32.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = RoleName>) -> Option<Self> {
        let names: BTreeSet<RoleName> = names.into_iter().collect();
        (names.len() <= MAX_ROLES).then_some(Self(names))
    }

    /// These with some more and without others; `None` for more than 32.
    #[must_use]
    pub fn with(&self, added: &[RoleName], removed: &[RoleName]) -> Option<Self> {
        let all = self.0.iter().chain(added).filter(|name| !removed.contains(name));
        Self::new(all.cloned())
    }

    /// Whether the account may use the admin API.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.0.iter().any(|name| name.as_str() == ADMIN)
    }

    /// Takes the role of the admin API away.
    pub fn remove_admin(&mut self) {
        self.0.retain(|name| name.as_str() != ADMIN);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(RoleName::as_str).collect()
    }

    /// As stores keep them, with a space between two names; `None` where there are no roles.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.names().join(" "))
    }

    /// The roles of these names; `None` if one is no name, or there are more than 32.
    #[must_use]
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        Self::new(names.into_iter().map(RoleName::parse).collect::<Option<Vec<_>>>()?)
    }

    /// From a store; `None` for a text that [`Roles::to_text`] does not give.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.split(' ')).filter(|roles| roles.to_text().as_deref() == Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<RoleName> {
        (0..count).filter_map(|n| RoleName::parse(&format!("role-{n}"))).collect()
    }

    proptest! {
        #[test]
        fn no_text_breaks_roles(text in any::<String>()) {
            if let Some(roles) = Roles::from_text(&text) {
                prop_assert_eq!(roles.to_text(), Some(text));
            }
        }

        #[test]
        fn roles_are_printed_and_parsed(names in proptest::collection::vec("[a-z0-9][a-z0-9:._-]{0,31}", 1..32)) {
            let roles = Roles::parse(names.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(Roles::from_text(&roles.to_text().unwrap()), Some(roles));
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for good in ["admin", "billing:read", "7", &"x".repeat(32)] {
            assert!(RoleName::parse(good).is_some(), "{good}");
        }
        for bad in ["", ":a", "-a", "a b", "a,b", "a\"", "\u{e4}", &"x".repeat(33)] {
            assert_eq!(RoleName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_account_has_at_most_32_roles_each_once() {
        let all = Roles::new(names(32)).unwrap();
        assert_eq!(all.names().len(), 32);
        assert_eq!(all.with(&names(32), &[]), Some(all.clone()));
        assert_eq!((Roles::new(names(33)), all.with(&names(33), &[])), (None, None));
        assert_eq!(all.with(&[], &names(31)).unwrap().names(), ["role-31"]);
        assert_eq!(Roles::default().to_text(), None);
        assert_eq!(Roles::parse(["b", "a", "b"]).unwrap().to_text().as_deref(), Some("a b"));
        for other in ["", " ", "b a", "a a", "a  b", " a"] {
            assert_eq!(Roles::from_text(other), None, "{other:?}");
        }
    }
}
