//! The arguments that operators' commands share, and the use cases beside a running server.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::realm::Realm;
use portcullis_core::service::AuthService;
use serde_json::Value;

use super::failure::Failure;
use super::{print, require_database, settings};
use crate::bootstrap;
use crate::config::Settings;

pub fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("For machines")
}

pub fn dry_run() -> Arg {
    Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Says what would be done, and changes nothing")
}

pub fn realm_argument() -> Arg {
    Arg::new("realm").long("realm").value_name("REALM").required(true).help("One of REALMS")
}

pub fn account() -> Arg {
    let help = "An id (usr_…), as the audit log has it, or an e-mail address; - reads it from standard input";
    Arg::new("user").value_name("ID_OR_EMAIL").required(true).help(help)
}

pub fn reason() -> Arg {
    let help = "Why, such as a ticket's number: at most 200 characters, kept in the audit log, without personal data";
    Arg::new("reason").long("reason").value_name("TEXT").value_parser(parse_reason).help(help)
}

fn parse_reason(text: &str) -> Result<Reason, String> {
    Reason::parse(text).ok_or_else(|| "a reason is one line of 1 to 200 characters".to_owned())
}

/// Settings, store and name of an operator's command.
pub struct Command {
    pub settings: Settings,
    pub json: bool,
    pub dry_run: bool,
    note: OperatorNote,
}

impl Command {
    /// Reads the settings and the arguments that commands share.
    pub fn read(matches: &ArgMatches) -> Result<Self, Failure> {
        let command = Self::read_for_new_database(matches)?;
        require_database(&command.settings)?;
        Ok(command)
    }

    /// The same for a command that makes the database.
    pub fn read_for_new_database(matches: &ArgMatches) -> Result<Self, Failure> {
        let settings = settings(std::collections::BTreeMap::new()).map_err(String::from)?;
        let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default();
        let reason = matches.try_get_one::<Reason>("reason").ok().flatten().cloned();
        Ok(Self { settings, json: flag("json"), dry_run: flag("dry-run"), note: note(reason) })
    }

    /// The use cases, beside servers that may be running.
    pub async fn service(&self) -> Result<AuthService, Failure> {
        Ok(bootstrap::open_service_beside(&self.settings, Arc::new(OsRandomness)).await?)
    }

    /// The operator in the audit log.
    pub const fn note(&self) -> &OperatorNote {
        &self.note
    }

    /// The realm that the arguments name.
    pub fn realm(&self, matches: &ArgMatches) -> Result<Realm, Failure> {
        realm(matches, &self.settings)
    }

    /// Prints a result for machines or for people.
    pub fn show(&self, value: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            print(&serde_json::to_string_pretty(value).map_err(|error| error.to_string())?);
        } else {
            print(&text());
        }
        Ok(())
    }
}

/// The realm that the arguments name; the first one where they may leave it out.
pub fn realm(matches: &ArgMatches, settings: &Settings) -> Result<Realm, Failure> {
    let realm = matches.get_one::<String>("realm").or_else(|| settings.realms.first());
    let realm = realm.filter(|realm| settings.realms.contains(realm)).ok_or_else(|| {
        format!("--realm: there is no such realm. Fix: one of REALMS, which are {}", settings.realms.join(", "))
    })?;
    Ok(Realm::parse(realm).map_err(|error| format!("--realm {realm}: {error}"))?)
}

/// An argument whose `-` stands for the text of standard input.
pub fn text_or_stdin(matches: &ArgMatches, name: &str) -> Result<String, Failure> {
    match matches.get_one::<String>(name).map_or("", String::as_str) {
        "-" => Ok(stdin()?),
        text => Ok(text.to_owned()),
    }
}

/// The text of standard input.
pub fn stdin() -> Result<String, String> {
    std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))
}

/// The operator at the command line, in the audit log.
pub fn note(reason: Option<Reason>) -> OperatorNote {
    OperatorNote { operator: operator_name(), reason }
}

/// Records in the audit log of each realm that so many records are under another key.
pub async fn record_rotation(settings: &Settings, kind: EventKind, done: (u64, u32)) -> Result<(), String> {
    let service = bootstrap::open_service_beside(settings, Arc::new(OsRandomness)).await?;
    let note = note(None);
    let recorded = service.operators_as(&note).record_rotation(&bootstrap::realms(settings)?, kind, done).await;
    recorded.map_err(|error| error.to_string())
}

/// The command line with the number of the system's user, where the system tells it.
fn operator_name() -> String {
    let user = std::fs::metadata("/proc/self").map(|process| process.uid());
    user.map_or_else(|_| "command line".to_owned(), |user| format!("command line, uid {user}"))
}
