//! The origins of settings: flags, environment and `.env` file. No other module reads the environment.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::{fmt, fs};

use super::problems::ConfigProblem;

/// A value and its origin. It has no `Debug`: the value may be a secret.
#[derive(Clone)]
pub struct Found {
    pub text: String,
    pub origin: String,
}

/// The unparsed settings of each origin. `Debug` shows names only, because values may be secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// By the name of the setting.
    pub flags: BTreeMap<String, String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The path and text of the `.env` file; `None` if there is none.
    pub dotenv: Option<(PathBuf, String)>,
    /// The folder of relative paths.
    pub working_dir: PathBuf,
    /// The `.env` file exists and cannot be read.
    pub unreadable_dotenv: Option<ConfigProblem>,
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
    /// The flags given, with the environment and the `.env` file of the process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process(flags: BTreeMap<String, String>) -> Self {
        let working_dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let path = working_dir.join(".env");
        let (dotenv, unreadable_dotenv) = match fs::read_to_string(&path) {
            Ok(text) => (Some((path, text)), None),
            Err(error) if error.kind() == ErrorKind::NotFound => (None, None),
            Err(error) => {
                let problem = ConfigProblem {
                    name: ".env".to_owned(),
                    origin: path.display().to_string(),
                    what: format!("cannot be read: {error}"),
                    fix: "make it a readable text file, or remove it".to_owned(),
                };
                (None, Some(problem))
            }
        };
        // no setting has a value that is not UTF-8
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { flags, environment: environment.collect(), dotenv, working_dir, unreadable_dotenv }
    }
}
