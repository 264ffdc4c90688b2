//! The result of a check of `portcullis doctor`.

use portcullis_adapters::network_failure::Diagnosis;

use crate::config::ConfigProblem;

/// The result of one check.
pub struct CheckResult {
    /// The part that was checked, such as `database`.
    pub what: &'static str,
    /// The finding.
    pub saw: String,
    /// The expectation and the fix; `None` if nothing is wrong.
    pub wrong: Option<Wrong>,
}

/// The expectation that was not met.
pub struct Wrong {
    /// The expectation.
    pub expected: String,
    /// The fix.
    pub fix: String,
}

impl CheckResult {
    /// Nothing is wrong.
    pub fn ok(what: &'static str, saw: impl Into<String>) -> Self {
        Self { what, saw: saw.into(), wrong: None }
    }

    /// Something is wrong.
    pub fn failed(what: &'static str, saw: impl Into<String>, expected: &str, fix: impl Into<String>) -> Self {
        let wrong = Wrong { expected: expected.to_owned(), fix: fix.into() };
        Self { what, saw: saw.into(), wrong: Some(wrong) }
    }

    /// The cause and the fix that an adapter found, by the name of a setting.
    #[must_use]
    pub fn diagnosed(what: &'static str, setting: &str, found: Diagnosis, expected: &str) -> Self {
        Self::failed(what, format!("{setting}: {}", found.cause), expected, found.fix)
    }

    /// A setting that can't be used.
    #[must_use]
    pub fn from_config_problem(problem: &ConfigProblem) -> Self {
        let ConfigProblem { name, origin, what, fix } = problem;
        Self::failed(
            "settings",
            format!("{name} (from {origin}): {what}"),
            "settings that a server can start with",
            fix,
        )
    }

    /// From the message of a refused start, which contains its fix.
    #[must_use]
    pub fn from_message(what: &'static str, message: &str, expected: &str) -> Self {
        let (saw, fix) = message.split_once(". Fix: ").unwrap_or((message, "see the documentation of that setting"));
        Self::failed(what, saw, expected, fix)
    }
}
