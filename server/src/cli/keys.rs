//! `portcullis keys`: fresh secrets, what each key of the ring still holds, and wrapping and signing it all under the newest.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use portcullis_adapters::key_rotation::{CHECKS, KeyUsage, MACS, Report, Step};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::stored_key::RecordKind;
use portcullis_core::ports::randomness::Randomness as _;
use serde_json::{Value, json};

use super::index_keys::{self, IndexState};
use super::progress::Progress;
use super::{operator, print, require_database, runtime, settings};
use crate::bootstrap::keyring::Keyring;
use crate::config::{self, Settings};

/// The kinds of records, in the order of the table.
const KINDS: [&str; 5] =
    [RecordKind::Users.as_str(), RecordKind::Registrations.as_str(), RecordKind::SentMessages.as_str(), CHECKS, MACS];

/// Its arguments.
pub fn command() -> Command {
    let flag = |id: &'static str, help: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue).help(help);
    let status = Command::new("status")
        .about("Counts the records under each key of ENCRYPTION_KEY, and their indexes under INDEX_KEY")
        .arg(flag("json", "Prints JSON, for programs"));
    let rewrap = Command::new("rewrap")
        .about("Wraps and signs every record under the first key of ENCRYPTION_KEY, beside running servers")
        .after_help(
            "Run it with the settings of the servers, after all of them were restarted with the new key in front. After an \
             interruption the same command continues. Its exit code is 0 once no record is under an older key.",
        )
        .arg(flag("dry-run", "Counts, and changes nothing"));
    let reindex = Command::new("reindex")
        .about("Gives every record a blind index under the first key of INDEX_KEY, beside running servers")
        .after_help(
            "Run it with the settings of the servers, after all of them were restarted with the new key in front and the old \
             one behind it. After an interruption the same command continues. Its exit code is 0 once the old key may leave.",
        );
    let audit = Arg::new("audit").long("audit").value_name("FILE").value_parser(value_parser!(PathBuf)).help(
        "Prints the keys of the audit log instead, and writes the private half of AUDIT_VERIFY_KEY into a new file: take \
         it away from the server",
    );
    Command::new("keys")
        .about("Generates secrets; rewraps and re-indexes records after a change of ENCRYPTION_KEY or INDEX_KEY")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("generate").about("Prints new secrets as lines for a .env file").arg(audit))
        .subcommand(status)
        .subcommand(rewrap)
        .subcommand(reindex)
}

/// Runs the subcommand.
///
/// # Errors
/// The problem, or the records that are still under an older key.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let looks = match matches.subcommand() {
        Some(("status", status)) => Some(status.get_flag("json")),
        Some(("rewrap", rewrap)) => rewrap.get_flag("dry-run").then_some(false),
        Some(("reindex", _)) => {
            let settings = settings(std::collections::BTreeMap::new())?;
            require_database(&settings)?;
            return runtime()?.block_on(index_keys::reindex(&settings));
        }
        Some((_, generate)) if generate.contains_id("audit") => return audit_keys(generate),
        _ => {
            print(&config::keys::generate(&|bytes| OsRandomness.fill(bytes)));
            return Ok(());
        }
    };
    let settings = settings(std::collections::BTreeMap::new())?;
    require_database(&settings)?;
    let ring: Vec<u32> = settings.secrets.encryption_ring.0.iter().map(|(id, _)| *id).collect();
    runtime()?.block_on(async {
        let keyring = Keyring::open(&settings, Arc::new(OsRandomness)).await?;
        match looks {
            Some(json) => look(&keyring, &ring, json, &IndexState::read(&settings).await).await,
            None => rewrap(&settings, &keyring, &ring).await,
        }
    })
}

/// New keys of the audit log.
fn audit_keys(generate: &ArgMatches) -> Result<(), String> {
    let Some(path) = generate.get_one::<PathBuf>("audit") else { return Ok(()) };
    let keys = config::keys::AuditKeys::generate(&|bytes| OsRandomness.fill(bytes))?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(keys.private.as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    print(&keys.settings);
    Ok(())
}

async fn look(keyring: &Keyring, ring: &[u32], json: bool, index: &Result<IndexState, String>) -> Result<(), String> {
    let usage = keyring.rotation(&|_| {}).count_usage().await.map_err(|error| error.with_cause())?;
    if json {
        let mut shown = shown(&usage, ring);
        if let Some(shown) = shown.as_object_mut() {
            let index = index.as_ref().map_or_else(|problem| json!({"problem": problem}), IndexState::json);
            shown.insert("index".to_owned(), index);
        }
        print(&serde_json::to_string_pretty(&shown).map_err(|error| error.to_string())?);
    } else {
        let advice = advice(&usage, ring);
        let line = if advice.is_empty() { String::new() } else { format!("{advice}\n") };
        print(&format!(
            "{}\n{line}\n{}",
            table(&usage, ring),
            index.as_ref().map_or_else(|problem| format!("index keys: {problem}"), IndexState::table)
        ));
    }
    Ok(())
}

async fn rewrap(settings: &Settings, keyring: &Keyring, ring: &[u32]) -> Result<(), String> {
    let progress = Progress::new(BAR);
    let began = Instant::now();
    let done = keyring.rotation(&|step| show(&progress, step)).run().await;
    progress.end();
    let report =
        done.map_err(|error| format!("{}. Fix: call it again, it goes on where it stopped", error.with_cause()))?;
    let (first, seconds) = (ring.first().copied().unwrap_or_default(), began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = (report.rewrapped + report.signed) as f64 / seconds.max(f64::MIN_POSITIVE);
    operator::record_rotation(settings, EventKind::KeysRewrapped, (report.rewrapped + report.signed, first)).await?;
    print(&format!(
        "{} wrapped and {} signed under key {first} in {seconds:.1} s, {rate:.0}/s",
        records(report.rewrapped),
        records(report.signed)
    ));
    match wrong(&report, ring) {
        problems if problems.is_empty() => {
            let older: Vec<String> = ring.iter().skip(1).map(u32::to_string).collect();
            if !older.is_empty() {
                print(&format!(
                    "no record is under key {} any more: you can remove it from ENCRYPTION_KEY",
                    older.join(", ")
                ));
            }
            Ok(())
        }
        problems => Err(problems.join("; ")),
    }
}

/// The problems that are left after a rotation.
fn wrong(report: &Report, ring: &[u32]) -> Vec<String> {
    let left = report.left_under_older_keys(ring).into_iter().map(|(id, count)| {
        format!(
            "{} still under key {id}: a server uses it as its first key. Fix: restart all servers with the new key in \
             front, then run this again",
            records(count)
        )
    });
    let damaged = report.damaged.iter().map(|(id, count)| {
        format!(
            "{} under key {id} can't be opened: they are damaged, or another key had the id {id} once",
            records(*count)
        )
    });
    left.chain(damaged).chain(strange(&report.usage, ring)).collect()
}

/// The records that no key of the ring wrapped.
fn strange(usage: &KeyUsage, ring: &[u32]) -> Vec<String> {
    let strange = usage.by_key.keys().filter(|id| id.is_none_or(|id| !ring.contains(&id)));
    let line = |id: &Option<u32>| match id {
        Some(id) => format!(
            "{} under key {id}, which is not in the ring. Fix: add {id}:KEY to ENCRYPTION_KEY, or they stay unreadable",
            records(usage.under(Some(*id)))
        ),
        None => format!(
            "{} with an unreadable key: they are damaged. Fix: restore them from a backup",
            records(usage.under(None))
        ),
    };
    strange.map(line).collect()
}

fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// Every key of the ring, then whatever else was found.
fn rows(usage: &KeyUsage, ring: &[u32]) -> Vec<Option<u32>> {
    let known = ring.iter().copied().map(Some);
    let others = usage.by_key.keys().copied().filter(|id| id.is_none_or(|id| !ring.contains(&id)));
    known.chain(others).collect()
}

fn count(usage: &KeyUsage, id: Option<u32>, kind: &str) -> u64 {
    usage.by_key.get(&id).and_then(|counts| counts.get(kind)).copied().unwrap_or_default()
}

fn table(usage: &KeyUsage, ring: &[u32]) -> String {
    let head = KINDS.map(|kind| format!("{kind:>14}")).concat();
    let line = |id: Option<u32>| {
        let role = match id {
            Some(id) if ring.first() == Some(&id) => "encrypts",
            Some(id) if ring.contains(&id) => "decrypts",
            _ => "NOT IN RING",
        };
        let name = id.map_or_else(|| "?".to_owned(), |id| id.to_string());
        let counts = KINDS.map(|kind| format!("{:>14}", count(usage, id, kind))).concat();
        format!("{name:<11}{role:<11}{counts}")
    };
    let lines = rows(usage, ring).into_iter().map(line);
    std::iter::once(format!("{:<11}{:<11}{head}", "key", "")).chain(lines).collect::<Vec<_>>().join("\n")
}

/// The next step for the operator.
fn advice(usage: &KeyUsage, ring: &[u32]) -> String {
    let older = ring.iter().skip(1).map(|id| match usage.under(Some(*id)) {
        0 => format!("no record is under key {id}: you can remove it from ENCRYPTION_KEY"),
        count => format!("{} under key {id}. Fix: `portcullis keys rewrap`", records(count)),
    });
    older.chain(strange(usage, ring)).collect::<Vec<_>>().join("\n")
}

/// In the words of `/health/detailed`.
fn shown(usage: &KeyUsage, ring: &[u32]) -> Value {
    let row = |id: Option<u32>| {
        let counts = KINDS.map(|kind| (kind.to_owned(), json!(count(usage, id, kind))));
        let mut row = json!({
            "id": id,
            "in_ring": id.is_some_and(|id| ring.contains(&id)),
            "records": usage.under(id),
        });
        if let Some(row) = row.as_object_mut() {
            row.extend(counts);
        }
        row
    };
    let keys: Vec<Value> = rows(usage, ring).into_iter().map(row).collect();
    json!({"encrypting": ring.first(), "decrypting": ring, "keys": keys})
}

/// The template of the progress bar.
const BAR: &str = "{msg:<14} {bar:40} {human_pos}/{human_len}  {per_sec}  {eta} left";

/// Shows the progress of a kind that has records.
fn show(progress: &Progress, Step { kind, done, all }: Step) {
    if all > 0 {
        progress.show(kind.as_str(), done, all);
    }
}
