//! The detail of an audit event: names of roles, settings and operations, codes and numbers. It is never personal.

use crate::model::code::Code;
use crate::model::role::Roles;

/// `name=value` pairs with blanks between them. A value of several names has commas.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventDetail(String);

impl EventDetail {
    /// The roles that a change gave and took; `None` where there are none.
    #[must_use]
    pub fn roles(before: &Roles, after: &Roles) -> Option<Self> {
        let lacking = |of: &Roles, other: &Roles| {
            let other = other.names();
            of.names().into_iter().filter(|name| !other.contains(name)).map(str::to_owned).collect::<Vec<String>>()
        };
        Self::lists(&[("added", &lacking(after, before)), ("removed", &lacking(before, after))])
    }

    /// The operation of the API that was refused, and the code of the refusal.
    #[must_use]
    pub fn refusal(operation: &str, code: Code) -> Self {
        Self(format!("operation={operation} code={}", code.as_str()))
    }

    /// That many events of the kind were not written one by one.
    #[must_use]
    pub fn more(count: u64) -> Self {
        Self(format!("more={count}"))
    }

    /// The records that a command changed, and the id of the key that they are under now.
    #[must_use]
    pub fn records_under_key(records: u64, key: u32) -> Self {
        Self(format!("records={records} key={key}"))
    }

    /// The settings that are new, have another value, and are gone; `None` where there are none.
    #[must_use]
    pub fn settings(added: &[String], changed: &[String], removed: &[String]) -> Option<Self> {
        Self::lists(&[("added", added), ("changed", changed), ("removed", removed)])
    }

    fn lists(lists: &[(&str, &[String])]) -> Option<Self> {
        let filled = lists.iter().filter(|(_, names)| !names.is_empty());
        let texts: Vec<String> = filled.map(|(name, names)| format!("{name}={}", names.join(","))).collect();
        (!texts.is_empty()).then(|| Self(texts.join(" ")))
    }

    /// From a store.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::RoleName;

    fn roles(names: &[&str]) -> Roles {
        Roles::new(names.iter().filter_map(|name| RoleName::parse(name))).unwrap()
    }

    #[test]
    fn a_change_of_roles_names_those_given_and_taken() {
        let detail = |before: &[&str], after: &[&str]| {
            EventDetail::roles(&roles(before), &roles(after)).map(|detail| detail.as_str().to_owned())
        };
        assert_eq!(detail(&["a", "b"], &["b", "c", "d"]).as_deref(), Some("added=c,d removed=a"));
        assert_eq!(detail(&[], &["admin"]).as_deref(), Some("added=admin"));
        assert_eq!(detail(&["admin"], &[]).as_deref(), Some("removed=admin"));
        assert_eq!(detail(&["admin"], &["admin"]), None);
    }
}
