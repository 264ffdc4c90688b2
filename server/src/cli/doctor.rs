//! `portcullis doctor`: tries every connection, and says what it saw, what it expected, what to type.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;
use serde_json::{Value, json};

use super::{print, runtime, settings};
use crate::bootstrap::check_result::CheckResult;
use crate::bootstrap::doctor::run_checks;

/// Its arguments.
pub fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("For machines");
    Command::new("doctor").about("Tries every connection of the settings, and says how to fix what is wrong").arg(json)
}

/// Tries everything.
///
/// # Errors
/// When something is wrong.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let results = runtime()?.block_on(run_checks(&settings, Arc::new(OsRandomness)));
    if matches.get_flag("json") {
        let all: Vec<Value> = results.iter().map(shown).collect();
        print(&serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?);
    } else {
        print(&results.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    match results.iter().filter(|result| result.wrong.is_some()).count() {
        0 => Ok(()),
        1 => Err("1 thing is wrong".to_owned()),
        count => Err(format!("{count} things are wrong")),
    }
}

fn line(result: &CheckResult) -> String {
    let CheckResult { what, saw, wrong } = result;
    match wrong {
        None => format!("well   {what:<10} {saw}"),
        Some(wrong) => {
            format!("WRONG  {what:<10} {saw}\n       expected   {}\n       fix       {}", wrong.expected, wrong.fix)
        }
    }
}

fn shown(result: &CheckResult) -> Value {
    json!({
        "what": result.what,
        "ok": result.wrong.is_none(),
        "saw": result.saw,
        "expected": result.wrong.as_ref().map(|wrong| &wrong.expected),
        "fix": result.wrong.as_ref().map(|wrong| &wrong.fix),
    })
}
