//! `portcullis backup`, `portcullis restore` and `portcullis erasure-ledger` (docs/backup.md).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use portcullis_adapters::backup::restored_records::Examined;
use portcullis_adapters::crypto::age_file::{Identities, Recipient};
use portcullis_adapters::system::randomness::OsRandomness;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, reason};
use super::progress::Progress;
use super::{print, runtime};
use crate::bootstrap::backup::Backup;
use crate::bootstrap::restore::Restore;

/// The template of the progress bar.
const BAR: &str = "{msg:<28} [{wide_bar}] {human_pos}/{human_len} {eta}";

fn file(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name("FILE").value_parser(value_parser!(PathBuf)).value_hint(ValueHint::FilePath).help(help)
}

/// The arguments of `backup`.
pub fn backup_command() -> Command {
    let to = Arg::new("to").long("to").value_name("PUBLIC_KEY").action(ArgAction::Append).value_parser(parse_recipient);
    Command::new("backup")
        .about("Copies the SQLite database into a new file, beside a running server, and verifies the copy")
        .after_help(
            "The secrets are not in it: keep them elsewhere. Without ENCRYPTION_KEY and INDEX_KEY nobody can read the copy.",
        )
        .arg(file("file", "The new file").required(true))
        .arg(to.help("Encrypts it to this key of age, as in age1…; may be repeated"))
        .args([reason(), json_flag()])
}

/// The arguments of `restore`.
pub fn restore_command() -> Command {
    let ledger = file("ledger", "An erasure ledger; may be repeated [default: ERASURE_LEDGER]").long("ledger");
    let without = Arg::new("without-ledger").long("without-ledger").action(ArgAction::SetTrue);
    Command::new("restore")
        .about("Makes the SQLite database from a backup, while no server is running")
        .after_help(
            "Sessions, links, codes, operator tokens and client secrets of the backup's time end, and accounts of the erasure \
             ledger stay deleted. Stopped in the middle it leaves no database; call it again.",
        )
        .arg(file("file", "The backup").required(true))
        .arg(file("identity", "The private key of an encrypted backup, as age-keygen writes it").long("identity"))
        .arg(ledger.action(ArgAction::Append).conflicts_with("without-ledger"))
        .arg(without.help("Restores accounts that were deleted after the backup"))
        .args([reason(), dry_run(), json_flag()])
}

fn parse_recipient(text: &str) -> Result<Recipient, String> {
    Recipient::parse(text).map_err(|error| error.to_string())
}

/// A line for each step, or a bar; nothing where the output is for machines.
fn on_step(progress: Option<&Progress>) -> impl Fn(&str, u64, u64) + Sync + '_ {
    move |what, done, all| {
        if let Some(progress) = progress {
            progress.show(what, done, all);
        }
    }
}

/// Makes a backup.
///
/// # Errors
/// The problem.
pub fn backup(matches: &ArgMatches) -> Result<(), Failure> {
    let command = OperatorCommand::read(matches)?;
    let to = matches.get_one::<PathBuf>("file").ok_or("name a file")?;
    let recipients: Vec<Recipient> = matches.get_many("to").into_iter().flatten().cloned().collect();
    let progress = (!command.json).then(|| Progress::new(BAR));
    let step = on_step(progress.as_ref());
    let (settings, note) = (&command.settings, command.note());
    let backup = Backup { settings, to, recipients: &recipients, note, on_step: &step };
    let made = runtime()?.block_on(backup.make(Arc::new(OsRandomness)))?;
    if let Some(progress) = &progress {
        progress.end();
    }
    let encrypted = !recipients.is_empty();
    let shown = json!({
        "file": to.display().to_string(),
        "bytes": made.bytes,
        "encrypted": encrypted,
        "records": counts(&made.examined),
    });
    command.show(&shown, || {
        let users = count_of(&made.examined, "users");
        let how = if encrypted { "encrypted and verified" } else { "verified" };
        format!("{}: {} bytes, {users} accounts, {how}", to.display(), made.bytes)
    })
}

/// Restores a backup.
///
/// # Errors
/// The problem.
pub fn restore(matches: &ArgMatches) -> Result<(), Failure> {
    let command = OperatorCommand::read_for_new_database(matches)?;
    let from = matches.get_one::<PathBuf>("file").ok_or("name a file")?;
    if !from.is_file() {
        return Err(Failure::NotFound(format!("{} is no file", from.display())));
    }
    let identities = matches.get_one::<PathBuf>("identity").map(|path| read_identities(path)).transpose()?;
    let ledgers = ledgers(matches, &command)?;
    let progress = (!command.json).then(|| Progress::new(BAR));
    let step = on_step(progress.as_ref());
    let restore = Restore {
        settings: &command.settings,
        from,
        identities: identities.as_ref(),
        ledgers: ledgers.as_deref(),
        dry_run: command.dry_run,
        note: command.note(),
        on_step: &step,
    };
    let examined = runtime()?.block_on(restore.run(Arc::new(OsRandomness)))?;
    if let Some(progress) = &progress {
        progress.end();
    }
    let credentials = examined.credentials.iter();
    let credentials = credentials.map(|(realm, name)| json!({"realm": realm.as_str(), "name": name.as_str()}));
    let shown = json!({
        "dry_run": command.dry_run,
        "records": counts(&examined),
        "accounts_left_deleted": examined.erased.len(),
        "credentials_ended": credentials.collect::<Vec<_>>(),
    });
    command.show(&shown, || said(&examined, command.dry_run))
}

fn said(examined: &Examined, dry_run: bool) -> String {
    let erased = examined.erased.len() as u64;
    let users = count_of(examined, "users").saturating_sub(erased);
    let (done, ended) = if dry_run { ("would be restored", "would end") } else { ("restored", "ended") };
    let names: Vec<String> =
        examined.credentials.iter().map(|(realm, name)| format!("  {realm}  {}", name.as_str())).collect();
    let names = if names.is_empty() { String::new() } else { format!("\nmake these again:\n{}", names.join("\n")) };
    format!(
        "{users} accounts {done}; {erased} stay deleted\n{} sessions, {} links and codes, {} clients and operator tokens \
         {ended}{names}",
        count_of(examined, "sessions"),
        count_of(examined, "one_time_tokens"),
        examined.credentials.len(),
    )
}

fn counts(examined: &Examined) -> Value {
    Value::Object(examined.counts.iter().map(|(of, count)| (of.as_str().to_owned(), json!(count))).collect())
}

fn count_of(examined: &Examined, name: &str) -> u64 {
    examined.counts.iter().find(|(of, _)| of.as_str() == name).map_or(0, |(_, count)| *count)
}

fn read_identities(path: &Path) -> Result<Identities, String> {
    let text = std::fs::read_to_string(path).map(zeroize::Zeroizing::new);
    let text = text.map_err(|error| format!("--identity {}: {error}", path.display()))?;
    Identities::parse(&text).map_err(|error| format!("--identity {}: {error}", path.display()))
}

/// The ledgers that are named, or that of the settings. To do without one takes a word of its own.
fn ledgers(matches: &ArgMatches, command: &OperatorCommand) -> Result<Option<Vec<PathBuf>>, Failure> {
    if matches.get_flag("without-ledger") {
        return Ok(None);
    }
    let named: Vec<PathBuf> = matches.get_many("ledger").into_iter().flatten().cloned().collect();
    let named = if named.is_empty() { command.settings.erasure_ledger.iter().cloned().collect() } else { named };
    if named.is_empty() {
        return Err(
            "there is no erasure ledger: accounts that were deleted after the backup would come back. Fix: name it \
                    with --ledger, or restore them with --without-ledger"
                .into(),
        );
    }
    Ok(Some(named))
}

/// The arguments of `erasure-ledger`.
pub fn ledger_command() -> Command {
    Command::new("erasure-ledger")
        .about("Prints the erasure ledger: a keyed digest of each deleted account of the audit log, for a restore")
        .after_help("Keep it apart from the database, and for as long as the oldest backup.")
}

/// Prints the lines.
///
/// # Errors
/// The problem.
pub fn ledger(matches: &ArgMatches) -> Result<(), Failure> {
    let command = OperatorCommand::read(matches)?;
    let lines = runtime()?.block_on(async {
        let service = command.service().await?;
        Ok::<_, Failure>(crate::bootstrap::erasures::lines(&command.settings, &*service.ports.audit).await?)
    })?;
    if !lines.is_empty() {
        print(&lines);
    }
    Ok(())
}
