//! The result of a check of `portcullis doctor`.

/// The result of one check.
pub struct CheckResult {
    /// The thing.
    pub what: &'static str,
    /// The finding.
    pub saw: String,
    /// The expectation and the fix; `None` where all is well.
    pub wrong: Option<Wrong>,
}

/// How it should be instead.
pub struct Wrong {
    /// The expectation.
    pub expected: String,
    /// The fix.
    pub fix: String,
}

impl CheckResult {
    /// All is well.
    pub fn ok(what: &'static str, saw: impl Into<String>) -> Self {
        Self { what, saw: saw.into(), wrong: None }
    }

    /// Something should be different.
    pub fn failed(what: &'static str, saw: impl Into<String>, expected: &str, fix: impl Into<String>) -> Self {
        let wrong = Wrong { expected: expected.to_owned(), fix: fix.into() };
        Self { what, saw: saw.into(), wrong: Some(wrong) }
    }

    /// From a sentence of a start that has its fix in it.
    #[must_use]
    pub fn from_message(what: &'static str, told: &str, expected: &str) -> Self {
        let (saw, fix) = told.split_once(". Fix: ").unwrap_or((told, "see the documentation of that setting"));
        Self::failed(what, saw, expected, fix)
    }
}
