//! `portcullis testkit`: a server in memory for tests of clients. It prints one line of JSON with its addresses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_testkit::fakes::randomness::SeededRandomness;
use serde_json::json;

use super::failure::Failure;
use super::{finished, given_flags, print, print_usage};
use crate::bootstrap::Server;
use crate::bootstrap::testkit::fakes_of_today;
use crate::config::{self, Settings, Sources};
use crate::http::routes;
use crate::{serve, telemetry, testkit};

/// The default seed.
const SEED: &str = "1";

/// The test kit's own defaults, which flags override. The environment and `.env` file are not read, except to refuse a start
/// in production.
const USUAL: &[(&str, &str)] = &[
    ("PORT", "0"),
    ("APP_NAME", "Portcullis"),
    ("HASH_THREADS", "1"),
    ("LOG_LEVEL", "error"),
    ("ENVIRONMENT", "development"),
];

/// Prefixes of settings that have no effect here: all data is in memory, and passwords are not hashed.
const ABSENT: [&str; 5] = ["DATABASE_", "MONGO_", "REDIS_", "ARGON2_", "HASH_"];

pub fn command() -> Command {
    Command::new("testkit")
        .about("Runs a server in memory for tests, on a clock that they move")
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("NUMBER")
                .default_value(SEED)
                .help("of keys, ids, tokens and codes"),
        )
        .args(flags())
}

/// The flags of the settings, except those of stores and hashes, which have no effect here. The defaults are the test
/// kit's; no environment variable is named, because none is read.
fn flags() -> impl Iterator<Item = Arg> {
    let known = config::flags().into_iter();
    known.filter(|flag| !ABSENT.iter().any(|start| flag.get_id().as_str().starts_with(start))).map(|flag| {
        let about = flag.get_help().map(ToString::to_string).unwrap_or_default();
        let (meaning, rest) = about.split_once(config::ENV_MARK).unwrap_or((&about, ""));
        let usual = USUAL.iter().find(|(name, _)| *name == flag.get_id().as_str());
        let default = match usual {
            Some((_, value)) => format!(" [default: {value}]"),
            None => rest.split_once(']').map_or_else(String::new, |(_, default)| default.to_owned()),
        };
        flag.help(format!("{meaning}{default}"))
    })
}

/// The command of the `portcullis-testkit` binary. It accepts `testkit` as an argument, as `portcullis` does.
fn alone() -> Command {
    command()
        .name("portcullis-testkit")
        .version(env!("CARGO_PKG_VERSION"))
        .args_conflicts_with_subcommands(true)
        .subcommand(command())
}

/// Runs the binary `portcullis-testkit`, which has the test kit as its only command.
#[must_use]
pub fn run_alone() -> ExitCode {
    let matches = match alone().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return print_usage(&error),
    };
    finished(run(matches.subcommand().map_or(&matches, |(_, flags)| flags)).map_err(Failure::from))
}

pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let seed = matches.get_one::<String>("seed").map_or(SEED, String::as_str);
    let seed: u64 =
        seed.parse().map_err(|_| format!("--seed {seed}: is not a whole number. Fix: write it as --seed 7"))?;
    let mut flags = given_flags(matches);
    flags.remove("seed");
    let settings = settings(flags, seed)?;
    let _logs = telemetry::start(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    runtime.map_err(|error| error.to_string())?.block_on(serve(&settings, seed))
}

fn settings(flags: BTreeMap<String, String>, seed: u64) -> Result<Settings, String> {
    if Sources::from_process(flags.clone()).any_names_production() {
        return Err(
            "ENVIRONMENT=production: the test kit does not run in production. Fix: use `portcullis serve`".to_owned()
        );
    }
    let randomness = SeededRandomness::new(seed);
    let secrets = config::keys::generate(&|bytes| randomness.fill(bytes));
    let secrets = secrets.lines().filter_map(|line| line.split_once('='));
    let usual = secrets.chain(USUAL.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut environment: BTreeMap<String, String> = usual.collect();
    let realms = flags.get("REALMS").map_or("User1,User2", String::as_str);
    let service = environment.get("OPERATOR_TOKEN").map(|token| {
        let clients = realms.split(',').map(|realm| format!("testkit:{token}-of-a-service@{}", realm.trim()));
        clients.collect::<Vec<_>>().join(",")
    });
    environment.extend(service.map(|clients| ("SERVICE_CLIENTS".to_owned(), clients)));
    let sources = Sources { flags, environment, working_dir: PathBuf::from("."), ..Sources::default() };
    Settings::load(sources, &|bytes| randomness.fill(bytes)).map_err(|problems| problems.to_string())
}

async fn serve(settings: &Settings, seed: u64) -> Result<(), String> {
    let stop = serve::shutdown_signal()?;
    let listener = serve::bind(&settings.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let server = Server::compose_testkit(settings, address, &fakes_of_today(seed))?;
    let router = routes::router(Arc::clone(&server.app));
    let url = format!("http://{address}");
    let operator = settings.secrets.operator_token.as_ref().map(config::SecretText::expose);
    let service = settings.service_clients.first();
    let service = service.map(|client| json!({"id": client.id, "secret": client.secret.expose()}));
    let line = json!({
        "url": url, "control": format!("{url}/__test__"), "realms": settings.realms, "seed": seed,
        "pid": std::process::id(), "operator_token": operator, "service_client": service,
    });
    print(&line.to_string());
    if let Some(testkit) = server.app.testkit.clone() {
        tokio::spawn(testkit::keep_working(testkit));
    }
    serve::run(listener, router, settings.connection_limits(), stop).await;
    Ok(())
}
