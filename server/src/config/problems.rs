//! Everything that is wrong with a configuration, for a person who wants to mend it.

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
    /// How to mend it.
    pub mend: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} with the settings:", if count == 1 { "problem" } else { "problems" })?;
        for (number, problem) in self.0.iter().enumerate() {
            let ConfigProblem { name, origin, what, mend } = problem;
            write!(f, "\n  {}. {name} (from {origin}): {what}. Fix: {mend}.", number + 1)?;
        }
        Ok(())
    }
}
