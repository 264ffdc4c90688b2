//! `portcullis dead-letters`: the messages that could not be delivered, by id and reason. Shows no personal data.

use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_adapters::messaging::email::rfc3339;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::ids::JobId;
use portcullis_core::model::job::DeadLetter;
use portcullis_core::use_cases::operator::dead_letters::requeue;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, reason};
use super::{print, runtime};
use crate::bootstrap::{self, Queue};
use crate::http::dead_letter_json;

/// Dead letters that are read at once.
const MAX_READ: u32 = 10_000;

/// An id that is none of a dead letter.
const NO_SUCH_LETTER: &str = "there is no such dead letter. Fix: copy the id from `portcullis dead-letters list`";

/// Its arguments.
pub fn command() -> Command {
    let id = || Arg::new("id").value_name("JOB").value_parser(parse_id).help("A job's id, as the list shows it");
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Every one");
    let retry = Command::new("retry").about("Sends one again, or all").args([
        id().required_unless_present("all"),
        reason(),
        dry_run(),
        json_flag(),
    ]);
    Command::new("dead-letters")
        // an older name
        .alias("outbox")
        .about("Lists, shows and retries messages that could not be delivered")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about("Lists them, newest first").arg(json_flag()))
        .subcommand(Command::new("show").about("Shows one").arg(id().required(true)))
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
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((name, matches)) = matches.subcommand() else { return Err("there is no such command".into()) };
    let command = OperatorCommand::read(matches)?;
    runtime()?.block_on(async {
        let queue = bootstrap::open_jobs(&command.settings, Arc::new(OsRandomness)).await?;
        let id = matches.try_get_one::<JobId>("id").ok().flatten();
        let chosen = match id {
            Some(id) => vec![queue.jobs.find_dead_letter(id).await?.ok_or_else(none)?],
            None => queue.jobs.list_dead_letters(None, MAX_READ).await?,
        };
        match (name, chosen.as_slice()) {
            ("show", [letter]) => {
                print(&serde_json::to_string_pretty(&dead_letter_json(letter)).map_err(|error| error.to_string())?);
                Ok(())
            }
            ("retry", _) => retry(&command, &queue, &chosen).await,
            _ => {
                let all: Vec<Value> = chosen.iter().map(dead_letter_json).collect();
                let text = || if chosen.is_empty() { "no dead letters".to_owned() } else { table(&chosen) };
                command.show(&json!(all), text)
            }
        }
    })
}

fn none() -> Failure {
    Failure::NotFound(NO_SUCH_LETTER.to_owned())
}

/// Queues some again.
async fn retry(command: &OperatorCommand, queue: &Queue, chosen: &[DeadLetter]) -> Result<(), Failure> {
    let mut requeued = 0;
    for letter in chosen {
        let again = requeue(letter, &*queue.database, command.note(), queue.clock.now());
        requeued += u32::from(command.dry_run || again.await?);
    }
    let result = json!({"requeued": requeued, "dry_run": command.dry_run});
    let would =
        if command.dry_run { "messages would be sent again" } else { "messages will be sent again by the next worker" };
    command.show(&result, || format!("{requeued} {would}"))
}

fn table(dead: &[DeadLetter]) -> String {
    let line = |letter: &DeadLetter| {
        let job = &letter.job;
        let (since, kind) = (rfc3339(letter.at), job.task.kind());
        format!("{}  {since}  {}  {kind}  {} attempts  {}", job.id, job.realm, job.attempts, letter.reason)
    };
    dead.iter().map(line).collect::<Vec<_>>().join("\n")
}
