//! `portcullis migrate-data`: copies everything from one database to another, sealed as it is, and compares both.

use std::io::Write as _;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::data_migration::error::{Comparison, MigrationError};
use portcullis_adapters::data_migration::migration::{Migration, Step, count_records};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::ports::randomness::Randomness as _;

use super::progress::Progress;
use super::{print, runtime};
use crate::bootstrap::migrate_data::MigrationStores;
use crate::config::migration_databases::MigrationUrls;
use crate::config::{Database, Environment, SecretText, Settings, Sources};

/// Its arguments.
pub fn command() -> Command {
    let end = |id: &'static str, help: &'static str| Arg::new(id).long(id).value_name("URL").required(true).help(help);
    let name = |id: &'static str, help: &'static str| Arg::new(id).long(id).value_name("NAME").help(help);
    let flag = |id: &'static str, help: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue).help(help);
    Command::new("migrate-data")
        // an older name
        .alias("move")
        .about("Copies everything from one database to another, and compares both")
        .after_help(
            "Run it with the settings of the server, while no server is running. The words DATABASE_URL and MONGO_URL stand \
             for the URLs in the settings, so that no password is on the command line. After an interruption the same \
             command continues.",
        )
        .arg(end("from", "sqlite://…, mongodb://…, DATABASE_URL or MONGO_URL"))
        .arg(name("from-db", "The database on that MongoDB server [default: MONGO_DB]"))
        .arg(end("to", "The same, of an empty database"))
        .arg(name("to-db", "The database on that MongoDB server [default: MONGO_DB]"))
        .arg(flag("dry-run", "Checks both databases and shows what would be copied"))
        .arg(flag("again", "Empties the target of an unfinished migration, and starts again"))
}

/// Runs the command.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    let url = |id: &str| SecretText::new(text(id).unwrap_or_default());
    let wanted = MigrationUrls { from: url("from"), from_db: text("from-db"), to: url("to"), to_db: text("to-db") };
    if [&wanted.from, &wanted.to].into_iter().any(|url| url.expose().contains('@')) {
        say(
            "every user of this machine can read a password on the command line. Fix: write the word MONGO_URL, which stands \
             for the URL in the settings",
        );
    }
    let sources = Sources::from_process(std::collections::BTreeMap::new());
    let loaded = Settings::load_for_migration(sources, &wanted, &|bytes| OsRandomness.fill(bytes));
    let (settings, to) = loaded.map_err(|problems| problems.to_string())?;
    let dry_run = matches.get_flag("dry-run");
    runtime()?.block_on(async {
        let stores = MigrationStores::open(&settings, &to, dry_run, Arc::new(OsRandomness)).await?;
        let source = settings.database.shown();
        let done = if dry_run {
            describe(&stores, &source, &to).await
        } else {
            migrate(&stores, &source, matches.get_flag("again")).await
        };
        let comparisons = done.map_err(|error| error.to_string())?;
        if !comparisons.is_empty() {
            print(&summary(&settings, &to, &comparisons));
        }
        Ok(())
    })
}

async fn describe(stores: &MigrationStores, source: &str, to: &Database) -> Result<Vec<Comparison>, MigrationError> {
    let counts = count_records(&*stores.from).await?;
    let resumes = match &stores.to {
        Some(to) => {
            Migration { from: &*stores.from, to: &**to, source_name: source, on_step: &|_| {} }.check_target().await?
        }
        None => false,
    };
    let state = match (&stores.to, resumes) {
        (None, _) => "not there yet, and would be made",
        (Some(_), false) => "empty",
        (Some(_), true) => "half filled by an earlier call, which would be continued",
    };
    let lines: Vec<String> =
        counts.iter().map(|(collection, count)| format!("  {:<16} {count}", collection.as_str())).collect();
    print(&format!("from  {source}\nto    {}: {state}\nwould be copied:\n{}", to.shown(), lines.join("\n")));
    Ok(Vec::new())
}

async fn migrate(stores: &MigrationStores, source: &str, again: bool) -> Result<Vec<Comparison>, MigrationError> {
    // only a dry run has no target
    let Some(to) = &stores.to else { return Ok(Vec::new()) };
    let progress = Progress::new(BAR);
    let on_step = |step| show(&progress, step);
    let migration = Migration { from: &*stores.from, to: &**to, source_name: source, on_step: &on_step };
    if again {
        migration.clear_target().await?;
    }
    let comparisons = migration.run().await;
    progress.end();
    comparisons
}

/// The comparison, and the operator's next step.
fn summary(settings: &Settings, to: &Database, comparisons: &[Comparison]) -> String {
    let line = |comparison: &Comparison| {
        let Comparison { collection: of, from, to } = comparison;
        format!("  {:<16} {:>9}  {}  =  {:>9}  {}", of.as_str(), from.count, from.short(), to.count, to.short())
    };
    let lines: Vec<String> = comparisons.iter().map(line).collect();
    let setting = match to {
        Database::Sqlite { .. } => format!("remove MONGO_URL, and set DATABASE_URL={}", to.shown()),
        Database::MongoDb { name, .. } => format!("set MONGO_URL to it, and MONGO_DB={name}"),
    };
    let secrets = match settings.environment {
        Environment::Development => format!(
            "\nThe secrets stay the same: those in {} must be beside the new database, or in the settings.",
            settings.secrets_file.display()
        ),
        Environment::Production => String::new(),
    };
    format!(
        "copied and compared, records and checksums on both sides:\n{}\nNow {setting}, and start the server. {} is as it \
         was.{secrets}",
        lines.join("\n"),
        settings.database.shown(),
    )
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "portcullis: {text}");
}

/// The template of the progress bar.
const BAR: &str = "{msg:<24} [{wide_bar}] {human_pos}/{human_len} {eta}";

fn show(progress: &Progress, step: Step) {
    match step {
        Step::Resumed(of) => progress.say(&format!("continues in {}, where an earlier call stopped", of.as_str())),
        Step::Copied { of, done, all } => progress.show(&format!("copying {}", of.as_str()), done, all),
        Step::Read { of, done, all } => progress.show(&format!("comparing {}", of.as_str()), done, all),
    }
}
