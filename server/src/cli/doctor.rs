//! `portcullis doctor`: tries every connection, and says what it saw, what it expected, what to type.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;
use serde_json::{Value, json};

use super::{print, runtime, settings};
use crate::bootstrap::doctor::{Finding, examine};

/// Its arguments.
pub fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("For machines");
    Command::new("doctor").about("Tries every connection of the settings, and says how to mend what is wrong").arg(json)
}

/// Tries everything.
///
/// # Errors
/// When something is wrong.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let findings = runtime()?.block_on(examine(&settings, Arc::new(OsRandomness)));
    if matches.get_flag("json") {
        let all: Vec<Value> = findings.iter().map(shown).collect();
        print(&serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?);
    } else {
        print(&findings.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    match findings.iter().filter(|finding| finding.wrong.is_some()).count() {
        0 => Ok(()),
        1 => Err("1 thing is wrong".to_owned()),
        count => Err(format!("{count} things are wrong")),
    }
}

fn line(finding: &Finding) -> String {
    let Finding { what, saw, wrong } = finding;
    match wrong {
        None => format!("well   {what:<10} {saw}"),
        Some(wrong) => {
            format!("WRONG  {what:<10} {saw}\n       expected   {}\n       mend       {}", wrong.expected, wrong.mend)
        }
    }
}

fn shown(finding: &Finding) -> Value {
    json!({
        "what": finding.what,
        "ok": finding.wrong.is_none(),
        "saw": finding.saw,
        "expected": finding.wrong.as_ref().map(|wrong| &wrong.expected),
        "mend": finding.wrong.as_ref().map(|wrong| &wrong.mend),
    })
}
