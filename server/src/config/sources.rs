//! Where settings come from. Reading the process is here and nowhere else.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::{fmt, fs};

use super::problems::{ConfigProblem, ConfigProblems};

/// A value and where it came from. Not to be shown: it may be a secret's.
#[derive(Clone)]
pub struct Found {
    pub text: String,
    pub origin: String,
}

/// The places, as texts. Tests make their own. Shows names only: values may be secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// By the name of the setting.
    pub flags: BTreeMap<String, String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// A `.env` file: its path and text.
    pub dotenv: Option<(PathBuf, String)>,
    /// What relative paths are relative to.
    pub working_dir: PathBuf,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("flags", &self.flags.keys())
            .field("environment", &self.environment.keys())
            .field("dotenv", &self.dotenv.as_ref().map(|(path, _)| path))
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// The process's own.
    ///
    /// # Errors
    /// When a `.env` file is there and cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process(flags: BTreeMap<String, String>) -> Result<Self, ConfigProblems> {
        let working_dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let path = working_dir.join(".env");
        let dotenv = match fs::read_to_string(&path) {
            Ok(text) => Some((path, text)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                return Err(ConfigProblems(vec![ConfigProblem {
                    name: ".env".to_owned(),
                    origin: path.display().to_string(),
                    what: format!("cannot be read: {error}"),
                    fix: "make it a readable text file, or remove it".to_owned(),
                }]));
            }
        };
        // no setting has a value that is not UTF-8
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Self { flags, environment: environment.collect(), dotenv, working_dir })
    }
}
