//! The two databases of a data migration: by URL, or by the name of the setting that has the URL, because every user of
//! the machine can read a password on a command line.

use super::sections::{self, sqlite_path};
use super::settings_reader::SettingsReader;
use super::sources::Found;
use super::{ConfigProblems, Database, SecretText, Settings, Sources};

const FIX: &str = "write it as sqlite://data/portcullis.db or mongodb://host:27017, or name the setting that has it: \
                    DATABASE_URL or MONGO_URL";

/// The options of the command line.
#[derive(Debug)]
pub struct MigrationUrls {
    /// `--from`.
    pub from: SecretText,
    /// `--from-db`.
    pub from_db: Option<String>,
    /// `--to`.
    pub to: SecretText,
    /// `--to-db`.
    pub to_db: Option<String>,
}

impl Settings {
    /// Reads the settings, with the source of a migration as the database, and the target.
    ///
    /// # Errors
    /// Every problem of the settings.
    pub fn load_for_migration(
        sources: Sources,
        wanted: &MigrationUrls,
        fill_random: &dyn Fn(&mut [u8]),
    ) -> Result<(Self, Database), ConfigProblems> {
        let mut reader = SettingsReader::new(sources);
        reader.refuse_unknown();
        let from = database(&mut reader, "--from", &wanted.from, wanted.from_db.as_deref());
        let to = database(&mut reader, "--to", &wanted.to, wanted.to_db.as_deref());
        if let Some(from) = &from {
            set(&mut reader, from);
        }
        let settings = sections::read(&mut reader, fill_random);
        match settings.zip(to) {
            Some(both) if reader.problems.is_empty() => Ok(both),
            _ => Err(ConfigProblems(reader.problems)),
        }
    }
}

fn database(reader: &mut SettingsReader, flag: &str, text: &SecretText, name: Option<&str>) -> Option<Database> {
    let name = name.map_or_else(|| reader.text_or("MONGO_DB", "portcullis"), str::to_owned);
    let url = match text.expose() {
        "MONGO_URL" => reader.secret("MONGO_URL"),
        "DATABASE_URL" => Some(SecretText::new(reader.text_or("DATABASE_URL", "sqlite://data/portcullis.db"))),
        _ => Some(text.clone()),
    };
    let Some(url) = url else {
        reader.problem(flag, "the command line", "names MONGO_URL, which is not set", "set it, or write the URL");
        return None;
    };
    match url.expose().split_once("://") {
        Some(("mongodb" | "mongodb+srv", _)) => Some(Database::MongoDb { url, name }),
        Some(("sqlite", _)) => match sqlite_path(url.expose()) {
            Ok(path) => Some(Database::Sqlite { path: reader.working_dir.join(path) }),
            Err(what) => {
                reader.problem(flag, "the command line", &what, FIX);
                None
            }
        },
        // no value: it may be a password
        _ => {
            reader.problem(flag, "the command line", "is no database's URL", FIX);
            None
        }
    }
}

/// Sets the source as the database of the settings, so that its secrets are checked.
fn set(reader: &mut SettingsReader, from: &Database) {
    let origin = "the command line".to_owned();
    reader.unset("MONGO_URL_FILE");
    reader.unset("MONGO_URL");
    match from {
        Database::Sqlite { .. } => reader.set("DATABASE_URL".to_owned(), Found { text: from.shown(), origin }),
        Database::MongoDb { url, name } => {
            let text = url.expose().to_owned();
            reader.set("MONGO_URL".to_owned(), Found { text, origin: origin.clone() });
            reader.set("MONGO_DB".to_owned(), Found { text: name.clone(), origin });
        }
    }
}
