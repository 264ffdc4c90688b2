//! `portcullis migrate`: brings the database to this version and exits, for deployments whose servers may not.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;

use super::{print, runtime, settings};
use crate::compose::migrate;

/// Its arguments.
pub fn command() -> Command {
    let copies = Arg::new("with-copies")
        .long("with-copies")
        .action(ArgAction::SetTrue)
        .help("All running instances have this REDIS_URL: Redis answers for MongoDB again");
    Command::new("migrate").about("Brings the database to this version, and exits").arg(copies)
}

/// Makes what is missing, and says what it found.
///
/// # Errors
/// What went wrong, and the mend.
pub fn run(wanted: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let done = runtime()?.block_on(migrate::run(&settings, wanted.get_flag("with-copies"), Arc::new(OsRandomness)))?;
    print(&done);
    Ok(())
}
