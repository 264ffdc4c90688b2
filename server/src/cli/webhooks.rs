//! `portcullis webhooks`: addresses of other programs that get signed messages about events. A secret is printed once.

use std::io::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::ids::{JobId, WebhookId};
use portcullis_core::model::job::QueuedJob;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::{EventKinds, Webhook};
use portcullis_core::use_cases::operator::Operators;
use portcullis_core::use_cases::operator::webhooks::{IssuedWebhook, WebhookEdit};
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, realm_argument, reason};
use super::runtime;
use crate::http::{delivery_json, issued_json, webhook_json};

/// Messages that `deliveries` shows.
const SHOWN: u32 = 1000;

/// Its arguments.
pub fn command() -> Command {
    let url = || Arg::new("url").long("url").value_name("URL").help("Where messages go; begins with https://");
    let event = || {
        let event = Arg::new("event").long("event").value_name("KIND").action(ArgAction::Append).value_delimiter(',');
        event.help("A kind of event, as in the audit log, or * for all; may be repeated")
    };
    let change = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).args([realm_argument(), reason(), dry_run(), json_flag()])
    };
    let flag =
        |name: &'static str, about: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(about);
    let delivery = Arg::new("delivery").long("delivery").value_name("JOB").value_parser(parse_delivery);
    Command::new("webhooks")
        .about("Webhooks: signed messages about events to other programs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            change("create", "Makes one; its secret is printed once")
                .args([url().required(true), event().required(true)]),
        )
        .subcommand(Command::new("list").about("Lists them, without secrets").args([realm_argument(), json_flag()]))
        .subcommand(
            change("change", "Changes URL or events, disables or enables one")
                .args([id(), url(), event()])
                .arg(flag("disable", "Sends nothing to it"))
                .arg(flag("enable", "Sends to it again").conflicts_with("disable")),
        )
        .subcommand(change("rotate", "Gives one a new secret; the old one signs too for 24 hours").arg(id()))
        .subcommand(change("delete", "Deletes one with its messages").arg(id()))
        .subcommand(change("test", "Sends a test message").arg(id()))
        .subcommand(Command::new("deliveries").about("Lists the messages that are not delivered, newest first").args([
            id(),
            realm_argument(),
            json_flag(),
        ]))
        .subcommand(
            change("replay", "Sends failed messages again: all, or one")
                .args([id(), delivery.help("A message's id, as `deliveries` shows it")]),
        )
}

fn id() -> Arg {
    Arg::new("id").value_name("ID").required(true).value_parser(parse_id).help("As the list shows it")
}

fn parse_id(text: &str) -> Result<WebhookId, String> {
    WebhookId::parse(text).ok_or_else(|| "an id of a webhook begins with whk_, as the list shows it".to_owned())
}

fn parse_delivery(text: &str) -> Result<JobId, String> {
    JobId::parse(text).ok_or_else(|| "an id of a message begins with job_, as `deliveries` shows it".to_owned())
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((action, matches)) = matches.subcommand() else { return Err("there is no such command".into()) };
    let command = OperatorCommand::read(matches)?;
    let realm = command.realm(matches)?;
    runtime()?.block_on(async {
        let service = command.service().await?;
        let operators = service.operators_as(command.note());
        let id = matches.try_get_one::<WebhookId>("id").ok().flatten();
        if let Some(id) = id {
            operators.find_webhook(&realm, id).await.map_err(explain)?;
        }
        match (action, id) {
            ("list", _) => show_list(&command, &operators.list_webhooks(&realm).await?),
            ("deliveries", Some(id)) => {
                show_deliveries(&command, &operators.list_deliveries(&realm, id, None, SHOWN).await?)
            }
            _ if command.dry_run => {
                // refuses what the change itself would refuse by its arguments
                kinds(matches)?;
                let id = id.map(ToString::to_string);
                let shown = json!({"dry_run": true, "command": action, "id": id, "realm": realm.as_str()});
                command.show(&shown, || format!("{action}: a webhook of {realm} would be changed"))
            }
            ("create", _) => {
                let url = matches.get_one::<String>("url").map_or("", String::as_str);
                let kinds = kinds(matches)?.ok_or("--event is needed")?;
                show_secret(&command, &operators.create_webhook(&realm, url, kinds).await?)
            }
            (_, Some(id)) => act(&command, operators, (action, matches), (&realm, id)).await,
            _ => Err("there is no such command".into()),
        }
    })
}

/// The commands on one webhook.
async fn act(
    command: &OperatorCommand,
    operators: Operators<'_>,
    (action, matches): (&str, &ArgMatches),
    (realm, id): (&Realm, &WebhookId),
) -> Result<(), Failure> {
    match action {
        "change" => {
            let disabled = matches.get_flag("disable");
            let edit = WebhookEdit {
                url: matches.get_one::<String>("url").cloned(),
                kinds: kinds(matches)?,
                disabled: (disabled || matches.get_flag("enable")).then_some(disabled),
            };
            let webhook = operators.change_webhook(realm, id, &edit).await.map_err(explain)?;
            command.show(&webhook_json(&webhook), || line(&webhook))
        }
        "rotate" => show_secret(command, &operators.rotate_webhook(realm, id).await.map_err(explain)?),
        "delete" => {
            operators.delete_webhook(realm, id).await.map_err(explain)?;
            let shown = json!({"id": id.to_string(), "realm": realm.as_str(), "deleted": true});
            command.show(&shown, || format!("{id} in {realm} is deleted"))
        }
        "test" => {
            let delivery = operators.test_webhook(realm, id).await.map_err(explain)?;
            let shown = json!({"id": id.to_string(), "delivery": delivery.to_string()});
            let text = || {
                format!("{delivery} will be sent by the next worker; `webhooks deliveries {id}` lists it until then")
            };
            command.show(&shown, text)
        }
        "replay" => {
            let delivery = matches.get_one::<JobId>("delivery").copied();
            let replayed = operators.replay_webhook(realm, id, delivery).await.map_err(explain)?;
            let text = || format!("{replayed} messages will be sent again by the next worker");
            command.show(&json!({"replayed": replayed}), text)
        }
        _ => Err("there is no such command".into()),
    }
}

/// The kinds of events that the arguments name; `None` without any.
fn kinds(matches: &ArgMatches) -> Result<Option<EventKinds>, Failure> {
    let Some(names) = matches.try_get_many::<String>("event").ok().flatten() else { return Ok(None) };
    let kinds = EventKinds::parse(names.map(String::as_str));
    let known = || {
        let kinds = EventKind::ALL.iter().filter(|kind| kind.is_for_webhooks()).map(|kind| kind.as_str());
        format!("--event: there is no such kind. Fix: * for all, or some of {}", kinds.collect::<Vec<_>>().join(", "))
    };
    Ok(Some(kinds.ok_or_else(known)?))
}

fn explain(error: AuthError) -> Failure {
    match error {
        AuthError::NotFound => Failure::NotFound("the realm has no such webhook or message".to_owned()),
        error => error.into(),
    }
}

fn show_list(command: &OperatorCommand, all: &[Webhook]) -> Result<(), Failure> {
    let shown: Vec<Value> = all.iter().map(webhook_json).collect();
    let text = || if all.is_empty() { "none".to_owned() } else { all.iter().map(line).collect::<Vec<_>>().join("\n") };
    command.show(&json!(shown), text)
}

fn show_deliveries(command: &OperatorCommand, all: &[QueuedJob]) -> Result<(), Failure> {
    let shown: Vec<Value> = all.iter().map(delivery_json).collect();
    let line = |one: &Value| {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let attempts = one.get("attempts").cloned().unwrap_or_default();
        let [id, event, due, failed, reason] = ["id", "event", "due_at", "failed_at", "reason"].map(text);
        format!("{id}  {event}  {attempts} attempts  due {due}  failed {failed}  {reason}")
    };
    let text =
        || if shown.is_empty() { "none".to_owned() } else { shown.iter().map(line).collect::<Vec<_>>().join("\n") };
    command.show(&json!(shown), text)
}

/// Prints the secret alone on standard output, so that it can be piped, and the rest on standard error.
fn show_secret(command: &OperatorCommand, issued: &IssuedWebhook) -> Result<(), Failure> {
    if !command.json {
        let _ = writeln!(std::io::stderr(), "{}\nThis secret is shown once:", line(&issued.webhook));
    }
    command.show(&issued_json(issued), || issued.secret.expose().to_owned())
}

fn line(webhook: &Webhook) -> String {
    let state = if webhook.disabled { "disabled" } else { "enabled" };
    let Webhook { id, realm, url, kinds, .. } = webhook;
    format!("{id}  {realm}  {state}  {url}  {}", kinds.names().join(","))
}
