//! The problems of a configuration, each with its fix.

use std::fmt;

/// One problem. It never contains the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The setting.
    pub name: String,
    /// The origin of its value: a flag, the environment, a file, the defaults.
    pub origin: String,
    /// The problem, as a clause without the name.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} with the settings:", if count == 1 { "problem" } else { "problems" })?;
        for (number, problem) in self.0.iter().enumerate() {
            let ConfigProblem { name, origin, what, fix } = problem;
            write!(f, "\n  {}. {name} (from {origin}): {what}. Fix: {fix}.", number + 1)?;
        }
        Ok(())
    }
}

/// The message of a refused start.
impl From<ConfigProblems> for String {
    fn from(problems: ConfigProblems) -> Self {
        problems.to_string()
    }
}
