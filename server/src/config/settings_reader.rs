//! Reads settings one by one, and collects their problems.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::problems::ConfigProblem;
use super::settings_registry::{GROUPS, OLDER_NAMES, find, is_known, is_misspelt, suggestion};
use super::sources::{Found, Sources};
use super::{SecretText, dotenv};

/// The settings as texts, and the problems so far.
pub struct SettingsReader {
    values: BTreeMap<String, Found>,
    pub working_dir: PathBuf,
    /// The `.env` file, if there is one.
    pub dotenv: Option<PathBuf>,
    pub problems: Vec<ConfigProblem>,
    pub warnings: Vec<String>,
    /// Secrets read so far, to see one that is used twice.
    pub claimed: Vec<(&'static str, SecretText)>,
}

impl SettingsReader {
    pub fn new(sources: Sources) -> Self {
        let mut reader = Self {
            values: BTreeMap::new(),
            working_dir: sources.working_dir,
            dotenv: sources.dotenv.as_ref().map(|(path, _)| path.clone()),
            problems: sources.unreadable_dotenv.into_iter().collect(),
            warnings: Vec::new(),
            claimed: Vec::new(),
        };
        if let Some((path, text)) = &sources.dotenv {
            let (values, problems) = dotenv::read(&sources.environment, path, text);
            reader.values.extend(values);
            reader.problems.extend(problems);
        }
        let environment = sources.environment.into_iter().map(|(name, text)| (name, text, "the environment"));
        let flags = sources.flags.into_iter().map(|(name, text)| (name, text, "a flag"));
        for (name, text, origin) in environment.chain(flags) {
            reader.values.insert(name, Found { text, origin: origin.to_owned() });
        }
        for (older, current) in OLDER_NAMES {
            reader.rename(older, current);
        }
        reader
    }

    /// Reads a setting under an older name as if it had the current one. Both at once are refused.
    fn rename(&mut self, older: &str, current: &str) {
        if self.is_missing(older) {
            return;
        }
        if !self.is_missing(current) {
            self.refuse(current, &format!("{older}, an older name of it, is set too"), "keep one of the two");
        }
        for ending in ["", "_FILE"] {
            if let Some(found) = self.values.remove(&format!("{older}{ending}")) {
                let origin = format!("{}, as {older}{ending}", found.origin);
                self.values.insert(format!("{current}{ending}"), Found { origin, ..found });
            }
        }
    }

    /// Sets a value; an earlier one is replaced.
    pub fn set(&mut self, name: String, found: Found) {
        self.values.insert(name, found);
    }

    /// Removes a value.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Whether a setting, or the file of it, is not set.
    pub fn is_missing(&self, name: &str) -> bool {
        let empty = |name: &str| self.values.get(name).is_none_or(|found| found.text.trim().is_empty());
        empty(name) && empty(&format!("{name}_FILE"))
    }

    /// Whether a setting, or its file, has a problem already.
    pub fn has_problem(&self, name: &str) -> bool {
        let names = self.problems.iter().flat_map(|problem| problem.name.split(", "));
        names.into_iter().any(|other| other == name || other.strip_suffix("_FILE") == Some(name))
    }

    pub fn problem(&mut self, name: &str, origin: &str, what: &str, fix: &str) {
        let [name, origin, what, fix] = [name, origin, what, fix].map(str::to_owned);
        self.problems.push(ConfigProblem { name, origin, what, fix });
    }

    /// Adds a problem of a setting, with the origin of its value.
    pub fn refuse(&mut self, name: &str, what: &str, fix: &str) {
        let of_file = || self.values.get(&format!("{name}_FILE")).map(|path| format!("the file {}", path.text));
        let origin = self.values.get(name).filter(|found| !found.text.trim().is_empty());
        let origin = origin.map(|found| found.origin.clone()).or_else(of_file);
        let origin = origin.unwrap_or_else(|| "the defaults".to_owned());
        self.problem(name, &origin, what, fix);
    }

    /// Adds a problem for each name in the environment that can only be a misspelt setting.
    pub fn refuse_unknown(&mut self) {
        let unknown: Vec<String> = self
            .values
            .iter()
            .filter(|(name, found)| found.origin == "the environment" && !is_known(name) && is_misspelt(name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in unknown {
            self.refuse(&name, "there is no such setting", &suggestion(&name));
        }
    }

    /// The text of a setting; an empty one counts as not set.
    pub fn text(&mut self, name: &str) -> Option<Found> {
        debug_assert!(is_known(name), "{name} is in the table");
        let plain = self.values.get(name).filter(|found| !found.text.trim().is_empty()).cloned();
        if !find(name).is_some_and(|setting| setting.secret) {
            return plain;
        }
        let file = format!("{name}_FILE");
        let Some(path) = self.values.get(&file).filter(|found| !found.text.is_empty()).cloned() else { return plain };
        if plain.is_some() {
            self.refuse(name, &format!("{file} is set too"), "keep one of the two");
            return None;
        }
        match fs::read_to_string(self.working_dir.join(&path.text)) {
            Ok(text) if text.trim().is_empty() => {
                self.refuse(&file, &format!("{} is empty", path.text), "write the secret into it");
                None
            }
            Ok(text) => {
                let text = text.trim_end_matches(['\n', '\r']).to_owned();
                Some(Found { text, origin: format!("the file {}", path.text) })
            }
            Err(error) => {
                let what = format!("{} cannot be read: {error}", path.text);
                self.refuse(&file, &what, "make it readable for this user, or set another path");
                None
            }
        }
    }

    /// The files that secrets are read from, by the names of their settings.
    pub fn secret_files(&self) -> Vec<(String, PathBuf)> {
        let is_secret = |name: &str| name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.secret);
        let files = self.values.iter().filter(|(name, found)| is_secret(name) && !found.text.trim().is_empty());
        files.map(|(name, found)| (name.clone(), self.working_dir.join(&found.text))).collect()
    }

    /// The settings that have a value, in the order of the table.
    pub fn given(&mut self) -> Vec<(&'static str, SecretText)> {
        let names = GROUPS.iter().flat_map(|group| group.settings).map(|setting| setting.name);
        names.filter_map(|name| Some((name, self.secret(name)?))).collect()
    }

    /// Whether a setting has a value, or a file that has it.
    pub fn is_set(&self, name: &str) -> bool {
        let set = |name: &str| self.values.get(name).is_some_and(|found| !found.text.trim().is_empty());
        set(name) || set(&format!("{name}_FILE"))
    }

    /// A text, or a default.
    pub fn text_or(&mut self, name: &str, default: &str) -> String {
        self.text(name).map_or_else(|| default.to_owned(), |found| found.text)
    }

    /// A secret.
    pub fn secret(&mut self, name: &str) -> Option<SecretText> {
        self.text(name).map(|found| SecretText::new(found.text))
    }

    /// The parsed text of a setting; `None` with a problem if the parser refuses it.
    pub fn parsed<T>(&mut self, name: &str, fix: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let found = self.text(name)?;
        match parse(found.text.trim()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.problem(name, &found.origin, &what, fix);
                None
            }
        }
    }

    /// A number from `least` to `most`, or the default.
    pub fn number<T>(&mut self, name: &str, default: T, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let fix = format!("use a whole number from {least} to {most}");
        let bounded = |text: &str| match text.parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => Err(format!("\"{text}\" is not such a number")),
        };
        self.parsed(name, &fix, bounded).unwrap_or(default)
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let chosen = |text: &str| {
            let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| format!("\"{text}\" is not known"))
        };
        self.parsed(name, &format!("use one of: {}", words.join(", ")), chosen).unwrap_or(default)
    }

    /// A switch.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let words = [
            ("true", true),
            ("false", false),
            ("on", true),
            ("off", false),
            ("1", true),
            ("0", false),
            ("yes", true),
            ("no", false),
        ];
        self.choice(name, default, &words)
    }

    /// A duration that may be zero, which means "off".
    pub fn duration_or_zero(&mut self, name: &str, default: Duration) -> Duration {
        let zero = |text: &str| ["0", "0s"].contains(&text).then_some(Duration::ZERO);
        let fix = "write it as 5s or 1m; 0s switches it off";
        self.parsed(name, fix, |text| zero(text).map_or_else(|| duration(text), Ok)).unwrap_or(default)
    }

    /// `1800s`, `30m`, `24h`, `30d`, or a number of seconds.
    pub fn duration(&mut self, name: &str, default: Duration) -> Duration {
        self.parsed(name, "write it as 1800s, 30m, 24h or 30d, a year at most", duration).unwrap_or(default)
    }
}

/// A positive duration, a year at most.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("\"{text}\" is no duration");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(split).ok_or_else(refused)?;
    let factor: u64 = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" | "day" => 86_400,
        _ => return Err(refused()),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(refused)?;
    if (1..=366 * 86_400).contains(&seconds) { Ok(Duration::from_secs(seconds)) } else { Err(refused()) }
}
