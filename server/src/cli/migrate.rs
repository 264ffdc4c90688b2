//! `portcullis migrate`: updates the database schema and exits, for deployments whose servers may not change it.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;

use super::{operator, print, runtime, settings};
use crate::bootstrap::migrate;

/// Its arguments.
pub fn command() -> Command {
    Command::new("migrate").about("Updates the database schema to this version, and exits").arg(
        Arg::new("sign-existing")
            .long("sign-existing")
            .action(ArgAction::SetTrue)
            .help("Signs the records of a database that an older version wrote")
            .long_help(
                "Signs every record that has no MAC, as it is: records without one are refused. Only for a database that \
                 an older version wrote and that no other program can have changed since. Stop the servers first.",
            ),
    )
}

/// Creates the missing schema and indexes, and prints a summary.
///
/// # Errors
/// The problem, with the fix.
pub fn run(wanted: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let note = operator::note(None);
    let signs = wanted.get_flag("sign-existing").then_some(&note);
    let done = runtime()?.block_on(migrate::run(&settings, signs, Arc::new(OsRandomness)))?;
    print(&done);
    Ok(())
}
