//! Everything that is wrong with a configuration, for a person who wants to fix it.

use std::fmt;

/// One thing that is wrong. Never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The setting.
    pub name: String,
    /// Where it came from.
    pub origin: String,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

/// All of it.
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
