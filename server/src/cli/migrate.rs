//! `portcullis migrate`: brings the database to this version and exits, for deployments whose servers may not.

use std::sync::Arc;

use clap::{ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;

use super::{print, runtime, settings};
use crate::bootstrap::migrate;

/// Its arguments.
pub fn command() -> Command {
    Command::new("migrate").about("Brings the database to this version, and exits")
}

/// Makes what is missing, and says what it found.
///
/// # Errors
/// What went wrong, with the fix.
pub fn run(_wanted: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let done = runtime()?.block_on(migrate::run(&settings, Arc::new(OsRandomness)))?;
    print(&done);
    Ok(())
}
