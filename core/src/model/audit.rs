//! How the audit log is read.

use std::fmt;

use crate::model::event::{Event, EventKind};
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::time::Timestamp;

/// The place of an event in the log. Positions compare as the log is sorted; they are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditPosition([u8; 12]);

impl AuditPosition {
    /// From twelve bytes that sort as the log does.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The twelve bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// Reads 24 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 24 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        let [_, _, _, _, bytes @ ..] = number.to_be_bytes();
        Some(Self(bytes))
    }
}

impl fmt::Display for AuditPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The events to list. All conditions hold at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// The realm.
    pub realm: Realm,
    /// Of this account only.
    pub user: Option<UserId>,
    /// Of these kinds; of every kind where there is none.
    pub kinds: Vec<EventKind>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
}

impl AuditQuery {
    /// All events of a realm.
    #[must_use]
    pub const fn of_realm(realm: Realm) -> Self {
        Self { realm, user: None, kinds: Vec::new(), since: None, until: None }
    }

    /// Whether an event is one of them.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        event.realm == self.realm
            && self.user.is_none_or(|user| event.user == Some(user))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
    }
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place.
    pub position: AuditPosition,
    /// The event.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_position_is_printed_and_parsed(bytes in any::<[u8; 12]>()) {
            let position = AuditPosition::from_bytes(bytes);
            prop_assert_eq!(AuditPosition::parse(&position.to_string()), Some(position));
        }

        #[test]
        fn no_text_breaks_a_position(text in any::<String>()) {
            if let Some(position) = AuditPosition::parse(&text) {
                prop_assert_eq!(position.to_string(), text.to_lowercase());
            }
        }
    }
}
