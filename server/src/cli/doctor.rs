//! `portcullis doctor`: checks the settings, tries every connection, and says what it found, what it expected, and the fix.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;
use serde_json::{Value, json};

use super::{print, runtime, settings};
use crate::bootstrap::check_result::CheckResult;
use crate::bootstrap::doctor::run_checks;
use crate::bootstrap::production::check_production;

/// Its arguments.
pub fn command() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON, for programs");
    let production = Arg::new("production")
        .long("production")
        .action(ArgAction::SetTrue)
        .help("Goes through the checklist of docs/deployment.md too");
    Command::new("doctor")
        .about("Checks the settings, tries every connection, and says how to fix what is wrong")
        .arg(json)
        .arg(production)
}

/// Runs every check and prints the results. Settings that can't be used are results too.
///
/// # Errors
/// When something is wrong.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let results = match settings(std::collections::BTreeMap::new()) {
        Ok(settings) => runtime()?.block_on(async {
            let mut results = run_checks(&settings, Arc::new(OsRandomness)).await;
            if matches.get_flag("production") {
                results.extend(check_production(&settings).await);
            }
            results
        }),
        Err(problems) => problems.0.iter().map(CheckResult::from_config_problem).collect(),
    };
    if matches.get_flag("json") {
        let all: Vec<Value> = results.iter().map(shown).collect();
        print(&serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?);
    } else {
        print(&results.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    match results.iter().filter(|result| result.wrong.is_some()).count() {
        0 => Ok(()),
        1 => Err("1 problem was found".to_owned()),
        count => Err(format!("{count} problems were found")),
    }
}

fn line(result: &CheckResult) -> String {
    let CheckResult { what, saw, wrong } = result;
    match wrong {
        None => format!("ok     {what:<10} {saw}"),
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
