//! The command line: `portcullis serve` and the commands for operators and packages. The exit code is 0 for success, 1
//! for a failure, 2 for arguments that can't be parsed, 3 where the named account, event or message does not exist
//! (docs/operations-commands.md).

mod account_call;
mod audit;
mod audit_chain;
mod backup;
mod banner;
mod credentials;
mod dead_letters;
mod doctor;
mod failure;
mod fake_users;
mod healthcheck;
mod index_keys;
mod keys;
mod manual;
mod migrate;
mod migrate_data;
mod new_account;
mod operator;
mod personal_data;
mod progress;
mod roles;
mod sessions;
#[cfg(feature = "testkit")]
mod testkit;
mod users;
mod webhooks;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::ports::randomness::Randomness;

use self::failure::Failure;
#[cfg(feature = "testkit")]
pub use self::testkit::run_alone as run_testkit;
use crate::bootstrap::Server;
use crate::config::{self, ConfigProblems, Database, Settings, Sources};
use crate::http::routes;
use crate::serve::ServeOptions;
use crate::tls::Certificate;
use crate::{serve, telemetry, worker};

/// Below the help of the server.
const SETTINGS_HELP: &str = "Settings come from flags, then the environment, then a .env file in the working directory, then \
                             defaults. `portcullis --help` lists them all, `portcullis doctor` checks them.";

fn command() -> Command {
    let serve =
        Command::new("serve").about("Runs the server (the default)").args(config::flags()).after_help(SETTINGS_HELP);
    let markdown = Arg::new("markdown").long("markdown").action(ArgAction::SetTrue).help("Prints Markdown tables");
    let settings = Command::new("settings").about("Prints all settings with their defaults").arg(markdown);
    let command = Command::new("portcullis")
        .about("A self-hosted authentication server that encrypts every person's data under a key of its own")
        .after_help(SETTINGS_HELP)
        .version(env!("CARGO_PKG_VERSION"))
        .args(config::flags())
        .args_conflicts_with_subcommands(true)
        .subcommand(serve)
        .subcommand(keys::command())
        .subcommand(dead_letters::command())
        .subcommand(migrate_data::command())
        .subcommand(backup::backup_command())
        .subcommand(backup::restore_command())
        .subcommand(backup::ledger_command())
        .subcommand(doctor::command())
        .subcommand(migrate::command())
        .subcommand(users::command())
        .subcommand(sessions::command())
        .subcommand(audit::command())
        .subcommand(credentials::clients())
        .subcommand(credentials::operator_tokens())
        .subcommand(webhooks::command())
        .subcommand(healthcheck::command())
        .subcommand(manual::completions_command())
        .subcommand(manual::man_command())
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
        Err(error) => return print_usage(&error),
    };
    let done = match matches.subcommand() {
        Some(("keys", keys)) => keys::run(keys).map_err(Failure::from),
        Some(("settings", wanted)) => {
            print(&if wanted.get_flag("markdown") { config::markdown() } else { config::text() });
            Ok(())
        }
        Some(("dead-letters", wanted)) => dead_letters::run(wanted),
        Some(("migrate-data", wanted)) => migrate_data::run(wanted).map_err(Failure::from),
        Some(("backup", wanted)) => backup::backup(wanted),
        Some(("restore", wanted)) => backup::restore(wanted),
        Some(("erasure-ledger", wanted)) => backup::ledger(wanted),
        Some(("users", users)) => users::run(users),
        Some(("sessions", sessions)) => sessions::run(sessions),
        Some(("audit", audit)) => audit::run(audit),
        Some(("clients", clients)) => credentials::run(clients, false),
        Some(("operator-tokens", tokens)) => credentials::run(tokens, true),
        Some(("webhooks", wanted)) => webhooks::run(wanted),
        #[cfg(feature = "testkit")]
        Some(("testkit", flags)) => testkit::run(flags).map_err(Failure::from),
        Some(("doctor", wanted)) => doctor::run(wanted).map_err(Failure::from),
        Some(("migrate", wanted)) => migrate::run(wanted).map_err(Failure::from),
        Some(("healthcheck", wanted)) => healthcheck::run(wanted).map_err(Failure::from),
        Some(("completions", wanted)) => manual::completions(wanted, command()).map_err(Failure::from),
        Some(("man", wanted)) => manual::man(wanted, command()).map_err(Failure::from),
        Some((_, serve)) => start(serve).map_err(Failure::from),
        None => start(&matches).map_err(Failure::from),
    };
    finished(done)
}

/// Prints help, the version, or the refusal of arguments that can't be parsed.
fn print_usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

fn finished(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "portcullis: {}", failure.message());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints to standard output. A closed output is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}

/// The flags that were given, by the name of their setting.
fn given_flags(matches: &ArgMatches) -> BTreeMap<String, String> {
    let ids =
        matches.ids().filter(|id| matches.value_source(id.as_str()) == Some(clap::parser::ValueSource::CommandLine));
    ids.filter_map(|id| matches.get_one::<String>(id.as_str()).map(|value| (id.to_string(), value.clone()))).collect()
}

/// The settings of the environment, files and flags.
fn settings(flags: BTreeMap<String, String>) -> Result<Settings, ConfigProblems> {
    Settings::load(Sources::from_process(flags), &|bytes| OsRandomness.fill(bytes))
}

/// Refuses a database that does not exist: a command would create an empty one and report that all is well.
fn require_database(settings: &Settings) -> Result<(), String> {
    match &settings.database {
        Database::Sqlite { path } if !path.exists() => Err(format!(
            "DATABASE_URL: {} does not exist. Fix: run this command in the server's folder, with the server's settings",
            path.display()
        )),
        _ => Ok(()),
    }
}

fn start(matches: &ArgMatches) -> Result<(), String> {
    let randomness = OsRandomness;
    let settings = settings(given_flags(matches))?;
    let _logs = telemetry::start(&settings.log)?;
    runtime()?.block_on(serve_until_stopped(settings, Arc::new(randomness)))
}

async fn serve_until_stopped(settings: Settings, randomness: Arc<dyn Randomness>) -> Result<(), String> {
    let stop = serve::shutdown_signal()?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let tls = match &settings.connections.tls {
        Some(files) => {
            let certificate = Certificate::open(files.clone())?;
            certificate.clone().reload_at_hangup()?;
            Some(certificate.server_config()?)
        }
        None => None,
    };
    let listener = serve::bind(&settings.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = Server::compose(&settings, address, randomness).await?;
    let router = routes::router(server.app.clone());
    print(&banner::text(&settings, &server, address));
    let workers = worker::start(&server.app);
    let numbering = server.audit_writer.map(worker::number_events);
    let metrics = server.app.metrics.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            // samples are folded into their histograms: they would pile up until the next scrape
            metrics.run_upkeep();
        }
    });
    let (stop_sender, stopping) = tokio::sync::watch::channel(false);
    let (app, delay) = (server.app.clone(), settings.connections.shutdown_delay);
    let stop = async move {
        stop.await;
        if !delay.is_zero() {
            app.draining.store(true, Ordering::Relaxed);
            tracing::info!("not ready any more; stops in {} s", delay.as_secs());
            tokio::time::sleep(delay).await;
        }
        let _ = stop_sender.send(true);
    };
    let options =
        ServeOptions { limits: settings.connection_limits(), proxy_protocol: settings.connections.proxy_protocol, tls };
    let drained = serve::run(listener, router, options, stop);
    tokio::join!(drained, workers.stop_when(stopping));
    if let Some(numbering) = numbering {
        numbering.stop().await;
    }
    tracing::info!("stopped");
    Ok(())
}
