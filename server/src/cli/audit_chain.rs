//! `portcullis audit verify` and `audit export`: proofs that the audit log is the one that was written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command, value_parser};
use portcullis_adapters::audit_chain::checkpoint_file::{self, note_json};
use portcullis_adapters::audit_chain::verifier::Verifier;
use portcullis_adapters::audit_chain::{Finding, Report};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::audit_chain::{ChainEntry, SignedNote};
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::error::PortError;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, json as json_flag, reason};
use super::{print, require_database, runtime, settings};
use crate::bootstrap::{audit_chain, realms};
use crate::config::Settings;
use crate::http::rfc3339;

/// Events that are read at once.
const PAGE: u32 = 1000;

/// The arguments of `verify`.
pub fn verify_command() -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
    };
    Command::new("verify")
        .about("Names every event that was changed, removed, moved or added since it was numbered")
        .arg(file("key", "The private half of AUDIT_VERIFY_KEY, as `keys generate --audit` wrote it").required(true))
        .arg(file("checkpoints", "A copy of AUDIT_CHECKPOINT_FILE from another machine; without it that file is read"))
        .arg(json_flag())
        .after_help("Its exit code is 0 if nothing was found, 1 if something was, 3 if no event was ever numbered.")
}

/// The arguments of `export`.
pub fn export_command() -> Command {
    Command::new("export")
        .about("Prints public keys, signed notes and every event with its proof as JSON, one object a line")
        .arg(reason())
        .after_help("docs/audit.md says how openssl verifies a note.")
}

/// Runs the subcommand.
///
/// # Errors
/// The problem, or that the log was changed.
pub fn run(name: &str, matches: &ArgMatches) -> Result<(), Failure> {
    let settings = settings(BTreeMap::new()).map_err(String::from)?;
    require_database(&settings)?;
    if settings.audit_chain.is_none() {
        let fix = "set AUDIT_VERIFY_KEY and AUDIT_SIGNING_KEY; `portcullis keys generate --audit FILE` makes them";
        return Err(Failure::NotFound(format!("the audit log is not tamper-evident. Fix: {fix}")));
    }
    runtime()?.block_on(async {
        let store = audit_chain::open_store(&settings, Arc::new(OsRandomness)).await?;
        if name == "export" {
            let command = OperatorCommand::read(matches)?;
            let service = command.service().await?;
            service.operators_as(command.note()).record_export(&realms(&settings)?).await?;
            return export(&*store, &settings).await;
        }
        verify(&*store, &settings, matches).await
    })
}

/// The exported notes: of a copy, or of the file of the settings.
fn exported(settings: &Settings, matches: &ArgMatches) -> Result<Vec<SignedNote>, Failure> {
    let named = matches.get_one::<PathBuf>("checkpoints").cloned();
    let own = || settings.audit_chain.as_ref().and_then(|chain| chain.checkpoint_file.clone());
    let Some(path) = named.or_else(own) else { return Ok(Vec::new()) };
    let notes = checkpoint_file::read(&path);
    notes.map_err(|error| Failure::NotFound(format!("the file of checkpoints {}: {error}", path.display())))
}

async fn verify(store: &dyn AuditChainStore, settings: &Settings, matches: &ArgMatches) -> Result<(), Failure> {
    let Some(path) = matches.get_one::<PathBuf>("key") else { return Err("--key is missing".into()) };
    if !path.exists() {
        return Err(Failure::NotFound(format!("{} does not exist", path.display())));
    }
    let keys = audit_chain::private_keys(path)?;
    let exported = exported(settings, matches)?;
    let signers = audit_chain::signers(settings)?;
    let verifier = Verifier { store, keys: &keys, signers: &signers, exported: &exported };
    let report = verifier.verify().await?;
    if matches.get_flag("json") {
        print(&serde_json::to_string_pretty(&report.json()).map_err(|error| error.to_string())?);
    } else {
        print(&shown(&report, exported.is_empty()));
    }
    match report {
        Report { found: 0, chains: 0, .. } => Err(Failure::NotFound("no event was ever numbered".to_owned())),
        Report { found: 0, .. } => Ok(()),
        Report { found, .. } => Err(format!("the audit log was changed: {found} findings").into()),
    }
}

fn shown(report: &Report, alone: bool) -> String {
    let Report { chains, numbered, unnumbered, pruned, .. } = report;
    let mut lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    lines.push(format!(
        "{numbered} events in {chains} chains; {unnumbered} wait for their number; {pruned} were removed as expired"
    ));
    if alone {
        lines.push("without a file of checkpoints, newest events that were removed are not missed".to_owned());
    }
    lines.join("\n")
}

fn entry_json(entry: &ChainEntry) -> Value {
    let event = entry.event.as_ref().map(|event| {
        json!({
            "id": event.id.map(hex::encode),
            "at": rfc3339(event.at),
            "realm": event.realm.as_str(),
            "kind": event.kind,
            "user": event.user.map(|user| user.to_string()),
            "session": event.session.map(|session| session.to_string()),
            "operator": event.operator,
            "reason": event.reason,
            "detail": event.detail,
        })
    });
    let link = entry
        .link
        .map(|link| json!({"chain": link.chain.to_string(), "number": link.number, "tag": hex::encode(link.tag)}));
    json!({"position": entry.position.to_string(), "genuine": entry.genuine, "link": link, "event": event})
}

async fn export(store: &dyn AuditChainStore, settings: &Settings) -> Result<(), Failure> {
    for signer in audit_chain::signers(settings)? {
        print(&json!({"public_key": signer.pem()}).to_string());
    }
    for note in store.notes().await? {
        print(&json!({"note": note_json(&note)}).to_string());
    }
    for chain in store.linked_chains().await? {
        let mut after = None;
        loop {
            let page = store.linked(&chain, after, PAGE).await?;
            let Some(last) = page.last().and_then(|last| Some((last.link?.number, last.position))) else { break };
            after = Some(last);
            print_all(&page);
        }
    }
    let mut after = None;
    loop {
        let page: Result<Vec<ChainEntry>, PortError> = store.unlinked(after, PAGE).await;
        let page = page?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.position);
        print_all(&page);
    }
}

fn print_all(page: &[ChainEntry]) {
    for entry in page {
        print(&entry_json(entry).to_string());
    }
}
