//! The operator behind an event of the audit log, and the reason.

/// Characters of a reason.
const MAX_REASON: usize = 200;

/// Why an operator did something: one line of text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason(String);

impl Reason {
    /// Reads a text of 1 to 200 characters without control characters; blanks around it are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_line = !text.is_empty() && text.chars().count() <= MAX_REASON && !text.chars().any(char::is_control);
        is_line.then(|| Self(text.to_owned()))
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

/// The operator behind an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperatorNote {
    /// A name for the actor, such as `command line`.
    pub operator: String,
    /// The reason that the operator gave.
    pub reason: Option<Reason>,
}

impl OperatorNote {
    /// The text of the reason.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_ref().map(Reason::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_at_most_200_characters() {
        assert_eq!(Reason::parse("  ticket 4711 ").as_ref().map(Reason::as_str), Some("ticket 4711"));
        assert!(Reason::parse(&"x".repeat(200)).is_some());
        for text in ["", "   ", "two\nlines", "a\tb", "\u{7f}"] {
            assert_eq!(Reason::parse(text), None, "{text:?}");
        }
        assert_eq!(Reason::parse(&"x".repeat(201)), None);
    }
}
