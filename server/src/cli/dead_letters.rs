//! `portcullis dead-letters`: the messages that could not be delivered, by id and reason. Shows no personal data.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::messaging::email::rfc3339;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::{DeadLetter, JobSubject};
use portcullis_core::ports::error::PortError;
use serde_json::{Value, json};

use super::{print, require_database, runtime, settings};
use crate::bootstrap::{self, Queue};

/// Dead letters that are read at once.
const MAX_READ: u32 = 10_000;

/// An id that is none of a dead letter.
const NO_SUCH_LETTER: &str = "there is no such dead letter. Fix: copy the id from `portcullis dead-letters list`";

/// Its arguments.
pub fn command() -> Command {
    let id = || Arg::new("id").value_name("JOB").value_parser(parse_id).help("The id of the job, as `list` shows it");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON, for programs");
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("All of them");
    let retry = Command::new("retry").about("Sends one of them again, or all").arg(id().required_unless_present("all"));
    Command::new("dead-letters")
        // an older name
        .alias("outbox")
        .about("Lists, shows and retries messages that could not be delivered")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about("Lists them, newest first").arg(json))
        .subcommand(Command::new("show").about("Shows one of them").arg(id().required(true)))
        .subcommand(retry.arg(all.conflicts_with("id")))
}

fn parse_id(text: &str) -> Result<JobId, String> {
    JobId::parse(text).ok_or_else(|| {
        format!(
            "an id of a job is {} and 32 hexadecimal digits. Fix: copy it from `portcullis dead-letters list`",
            JobId::PREFIX
        )
    })
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    require_database(&settings)?;
    runtime()?.block_on(async {
        let queue = bootstrap::open_jobs(&settings, Arc::new(OsRandomness)).await?;
        act(&queue, matches).await
    })
}

async fn act(Queue { jobs, clock }: &Queue, matches: &ArgMatches) -> Result<(), String> {
    let failed = |error: PortError| error.with_cause();
    let dead = jobs.list_dead_letters(MAX_READ).await.map_err(failed)?;
    match matches.subcommand() {
        Some(("show", one)) => {
            let id = one.get_one::<JobId>("id");
            let letter = dead.iter().find(|letter| Some(&letter.job.id) == id).ok_or(NO_SUCH_LETTER)?;
            print(&serde_json::to_string_pretty(&shown(letter)).map_err(|error| error.to_string())?);
        }
        Some(("retry", which)) => {
            let id = which.get_one::<JobId>("id");
            let chosen: Vec<_> =
                dead.iter().map(|letter| letter.job.id).filter(|job| id.is_none_or(|id| id == job)).collect();
            if id.is_some() && chosen.is_empty() {
                return Err(NO_SUCH_LETTER.to_owned());
            }
            let mut requeued = 0;
            for job in chosen {
                requeued += u32::from(jobs.requeue(&job, clock.now()).await.map_err(failed)?);
            }
            print(&format!("{requeued} messages will be sent again by the next worker"));
        }
        Some((_, list)) if list.get_flag("json") => {
            let all: Vec<Value> = dead.iter().map(shown).collect();
            print(&serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?);
        }
        _ if dead.is_empty() => print("no dead letters"),
        _ => print(&table(&dead)),
    }
    Ok(())
}

fn table(dead: &[DeadLetter]) -> String {
    let line = |letter: &DeadLetter| {
        let job = &letter.job;
        let (since, kind) = (rfc3339(letter.at), job.task.kind());
        format!("{}  {since}  {}  {kind}  {} attempts  {}", job.id, job.realm, job.attempts, letter.reason)
    };
    dead.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn shown(letter: &DeadLetter) -> Value {
    let job = &letter.job;
    let user = match job.task.about() {
        JobSubject::Subject(user) => Some(user.to_string()),
        // the index of an address is not shown
        JobSubject::Address(_) => None,
    };
    json!({
        "id": job.id.to_string(),
        "realm": job.realm.as_str(),
        "kind": job.task.kind(),
        "user": user,
        "attempts": job.attempts,
        "created_at": rfc3339(job.created_at),
        "dead_since": rfc3339(letter.at),
        "reason": letter.reason,
    })
}
