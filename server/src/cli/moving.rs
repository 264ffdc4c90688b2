//! `portcullis move`: everything from one database to another, sealed as it is, and the proof that it is there.

use std::io::Write as _;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::data_migration::migration::{MoveError, Mover, Proof, Step, survey};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::ports::randomness::Randomness as _;

use super::progress::Progress;
use super::{print, runtime};
use crate::bootstrap::moving::Ends;
use crate::config::places::Wanted;
use crate::config::{Database, Environment, SecretText, Settings, Sources};

/// Its arguments.
pub fn command() -> Command {
    let end = |id: &'static str, help: &'static str| Arg::new(id).long(id).value_name("URL").required(true).help(help);
    let name = |id: &'static str, help: &'static str| Arg::new(id).long(id).value_name("NAME").help(help);
    let flag = |id: &'static str, help: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue).help(help);
    Command::new("move")
        .about("Copies everything from one database to another, sealed as it is, and proves it")
        .after_help(
            "Call it with the settings of the server, and with no server running. DATABASE_URL and MONGO_URL stand for \
             the URLs in these settings, so that no password need be written here. Stopped in the middle, the same call \
             goes on.",
        )
        .arg(end("from", "sqlite://…, mongodb://…, DATABASE_URL or MONGO_URL"))
        .arg(name("from-db", "The database on that MongoDB server [default: MONGO_DB]"))
        .arg(end("to", "The same, of an empty database"))
        .arg(name("to-db", "The database on that MongoDB server [default: MONGO_DB]"))
        .arg(flag("dry-run", "Looks at both and says what would be copied"))
        .arg(flag("again", "Empties a target that an unfinished move has begun to fill, and begins anew"))
}

/// Does what the arguments say.
///
/// # Errors
/// What went wrong.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let text = |id: &str| matches.get_one::<String>(id).cloned();
    let url = |id: &str| SecretText::new(text(id).unwrap_or_default());
    let wanted = Wanted { from: url("from"), from_db: text("from-db"), to: url("to"), to_db: text("to-db") };
    if [&wanted.from, &wanted.to].into_iter().any(|url| url.expose().contains('@')) {
        say(
            "a password on the command line can be read by every user of this machine: MONGO_URL, as a word, stands for \
             the one in the settings",
        );
    }
    let sources = Sources::from_process(std::collections::BTreeMap::new()).map_err(|problems| problems.to_string())?;
    let loaded = Settings::load_for_move(sources, &wanted, &|bytes| OsRandomness.fill(bytes));
    let (settings, to) = loaded.map_err(|problems| problems.to_string())?;
    let rehearsal = matches.get_flag("dry-run");
    runtime()?.block_on(async {
        let ends = Ends::open(&settings, &to, rehearsal, Arc::new(OsRandomness)).await?;
        let place = settings.database.shown();
        let done = if rehearsal {
            rehearse(&ends, &place, &to).await
        } else {
            perform(&ends, &place, matches.get_flag("again")).await
        };
        let proofs = done.map_err(|error| error.to_string())?;
        if !proofs.is_empty() {
            print(&closing(&settings, &to, &proofs));
        }
        Ok(())
    })
}

async fn rehearse(ends: &Ends, place: &str, to: &Database) -> Result<Vec<Proof>, MoveError> {
    let counts = survey(&*ends.from).await?;
    let resumes = match &ends.to {
        Some(to) => Mover { from: &*ends.from, to: &**to, place, told: &|_| {} }.admit().await?,
        None => false,
    };
    let state = match (&ends.to, resumes) {
        (None, _) => "not there yet, and would be made",
        (Some(_), false) => "empty",
        (Some(_), true) => "half filled by an earlier call, and would be gone on with",
    };
    let lines: Vec<String> =
        counts.iter().map(|(collection, count)| format!("  {:<16} {count}", collection.as_str())).collect();
    print(&format!("from  {place}\nto    {}: {state}\nwould be copied:\n{}", to.shown(), lines.join("\n")));
    Ok(Vec::new())
}

async fn perform(ends: &Ends, place: &str, again: bool) -> Result<Vec<Proof>, MoveError> {
    // a target that is not a rehearsal's is always there
    let Some(to) = &ends.to else { return Ok(Vec::new()) };
    let progress = Progress::new(BAR);
    let told = |step| show(&progress, step);
    let mover = Mover { from: &*ends.from, to: &**to, place, told: &told };
    if again {
        mover.empty().await?;
    }
    let proofs = mover.run().await;
    progress.end();
    proofs
}

/// What is in both, and what is left to do.
fn closing(settings: &Settings, to: &Database, proofs: &[Proof]) -> String {
    let line = |proof: &Proof| {
        let Proof { of, from, to } = proof;
        format!("  {:<16} {:>9}  {}  =  {:>9}  {}", of.as_str(), from.count, from.short(), to.count, to.short())
    };
    let lines: Vec<String> = proofs.iter().map(line).collect();
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
        "moved and proven, records and checksums on both sides:\n{}\nNow {setting}, and start the server. {} is as it \
         was.{secrets}",
        lines.join("\n"),
        settings.database.shown(),
    )
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "portcullis: {text}");
}

/// How the bar looks.
const BAR: &str = "{msg:<24} [{wide_bar}] {human_pos}/{human_len} {eta}";

fn show(progress: &Progress, step: Step) {
    match step {
        Step::Resumed(of) => progress.say(&format!("goes on in {}, where an earlier call stopped", of.as_str())),
        Step::Copied { of, done, all } => progress.show(&format!("copying {}", of.as_str()), done, all),
        Step::Read { of, done, all } => progress.show(&format!("proving {}", of.as_str()), done, all),
    }
}
