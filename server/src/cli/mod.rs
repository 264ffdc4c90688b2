//! The command line: `portcullis serve`, `keys`, `settings`, `dead-letters`, `migrate-data`, `migrate`, `doctor` and `users`. Exit
//! code 0 for success, 1 for what went wrong, 2 for a call that could not be understood.

mod banner;
mod dead_letters;
mod doctor;
mod keys;
mod migrate;
mod migrate_data;
mod progress;
#[cfg(feature = "testkit")]
mod testkit;
mod users;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::ports::randomness::Randomness;

#[cfg(feature = "testkit")]
pub use self::testkit::run_alone as run_testkit;
use crate::bootstrap::Server;
use crate::config::{self, Database, Settings, Sources};
use crate::http::routes;
use crate::{serve, telemetry, worker};

fn command() -> Command {
    let serve = Command::new("serve").about("Runs the server (the default)").args(config::flags());
    let settings = Command::new("settings").about("Prints a reference of all settings");
    let command = Command::new("portcullis")
        .about("A self-hosted authentication server with every personal field encrypted on its own")
        .version(env!("CARGO_PKG_VERSION"))
        .args(config::flags())
        .args_conflicts_with_subcommands(true)
        .subcommand(serve)
        .subcommand(keys::command())
        .subcommand(dead_letters::command())
        .subcommand(migrate_data::command())
        .subcommand(doctor::command())
        .subcommand(migrate::command())
        .subcommand(users::command())
        .subcommand(settings);
    #[cfg(feature = "testkit")]
    let command = command.subcommand(testkit::command());
    command
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return misunderstood(&error),
    };
    let done = match matches.subcommand() {
        Some(("keys", keys)) => keys::run(keys),
        Some(("settings", _)) => {
            print(&config::reference());
            Ok(())
        }
        Some(("dead-letters", wanted)) => dead_letters::run(wanted),
        Some(("migrate-data", wanted)) => migrate_data::run(wanted),
        Some(("users", users)) => users::run(users),
        #[cfg(feature = "testkit")]
        Some(("testkit", flags)) => testkit::run(flags),
        Some(("doctor", wanted)) => doctor::run(wanted),
        Some(("migrate", wanted)) => migrate::run(wanted),
        Some((_, serve)) => start(serve),
        None => start(&matches),
    };
    finished(done)
}

/// A call that could not be understood, or that asked for help.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn finished(done: Result<(), String>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "portcullis: {message}");
            ExitCode::FAILURE
        }
    }
}

/// To standard output; a reader that went away is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}

/// The flags that were given, by the name of their setting.
fn given(matches: &ArgMatches) -> BTreeMap<String, String> {
    let ids =
        matches.ids().filter(|id| matches.value_source(id.as_str()) == Some(clap::parser::ValueSource::CommandLine));
    ids.filter_map(|id| matches.get_one::<String>(id.as_str()).map(|value| (id.to_string(), value.clone()))).collect()
}

/// The settings of the environment, files and flags.
fn settings(flags: BTreeMap<String, String>) -> Result<Settings, String> {
    let sources = Sources::from_process(flags).map_err(|problems| problems.to_string())?;
    Settings::load(sources, &|bytes| OsRandomness.fill(bytes)).map_err(|problems| problems.to_string())
}

/// For commands about what is there: opening would make an empty one, and say that all is well.
fn demand_store(settings: &Settings) -> Result<(), String> {
    match &settings.database {
        Database::Sqlite { path } if !path.exists() => Err(format!(
            "DATABASE_URL: {} is not there. Fix: call this in the folder, and with the settings, of the server",
            path.display()
        )),
        _ => Ok(()),
    }
}

fn start(matches: &ArgMatches) -> Result<(), String> {
    let randomness = OsRandomness;
    let settings = settings(given(matches))?;
    let _logs = telemetry::start(&settings.log)?;
    runtime()?.block_on(serve_until_told(settings, Arc::new(randomness)))
}

async fn serve_until_told(settings: Settings, randomness: Arc<dyn Randomness>) -> Result<(), String> {
    let stop = serve::shutdown_signal()?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let listener = serve::bind(&settings.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = Server::compose(&settings, address, randomness).await?;
    let router = routes::router(server.app.clone());
    print(&banner::text(&settings, &server, address));
    let workers = worker::start(&server.app);
    let metrics = server.app.metrics.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            // samples are folded into their histograms: they would pile up until the next scrape
            metrics.run_upkeep();
        }
    });
    let (told, stopping) = tokio::sync::watch::channel(false);
    let stop = async move {
        stop.await;
        let _ = told.send(true);
    };
    let drained = serve::run(listener, router, settings.connection_limits(), stop);
    tokio::join!(drained, workers.stop_when(stopping));
    tracing::info!("stopped");
    Ok(())
}
