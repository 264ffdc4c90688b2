//! `portcullis clients` and `operator-tokens`: credentials for services and for operators. A secret is printed once.

use std::io::Write as _;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_core::model::credential::{Credential, CredentialName, Scope, Scopes};
use portcullis_core::model::realm::Realm;
use portcullis_core::use_cases::operator::credentials::Issued;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, realm_argument, reason};
use super::runtime;
use crate::http::rfc3339;

/// The arguments of `clients`.
pub fn clients() -> Command {
    let id = || Arg::new("name").value_name("ID").required(true).value_parser(parse_client);
    let change = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).args([id(), realm_argument(), reason(), dry_run(), json_flag()])
    };
    Command::new("clients")
        .about("Service clients, which may introspect tokens, beside those of SERVICE_CLIENTS")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(change("create", "Makes one; its secret is printed once"))
        .subcommand(list("Lists them, without secrets"))
        .subcommand(change("rotate", "Gives one a new secret; the old one ends at once"))
        .subcommand(change("delete", "Deletes one"))
}

/// The arguments of `operator-tokens`.
pub fn operator_tokens() -> Command {
    let scope = Arg::new("scope").long("scope").value_name("SCOPE").required(true).action(ArgAction::Append);
    let days = Arg::new("days").long("days").value_name("DAYS").default_value("90");
    let create = Command::new("create")
        .about("Makes one; its text is printed once")
        .arg(scope.value_parser(parse_scope).help("observe (metrics, detailed health) or introspect; may be repeated"))
        .arg(days.value_parser(clap::value_parser!(u64).range(1..=366)).help("How long it lives"))
        .args([realm_argument(), reason(), dry_run(), json_flag()]);
    let name = Arg::new("name").value_name("ID").required(true).value_parser(parse_token_name);
    let revoke = Command::new("revoke").about("Ends one at once").arg(name.help("As the list shows it"));
    Command::new("operator-tokens")
        .about("Operator tokens with scopes, beside OPERATOR_TOKEN")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(create)
        .subcommand(list("Lists them, without their texts"))
        .subcommand(revoke.args([realm_argument(), reason(), dry_run(), json_flag()]))
}

fn list(about: &'static str) -> Command {
    Command::new("list").about(about).args([realm_argument(), json_flag()])
}

fn parse_client(text: &str) -> Result<CredentialName, String> {
    let name = CredentialName::parse(text).filter(|name| !name.is_operator_token());
    name.ok_or_else(|| {
        "an id has 1 to 64 letters, digits, dots, dashes and underscores, and no opt_ in front".to_owned()
    })
}

fn parse_token_name(text: &str) -> Result<CredentialName, String> {
    let name = CredentialName::parse(text).filter(CredentialName::is_operator_token);
    name.ok_or_else(|| "an id of a token begins with opt_, as the list shows it".to_owned())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let names = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(text).ok_or_else(|| format!("there is no such scope; there are {names}"))
}

/// Runs the subcommand; `tokens`: of `operator-tokens`.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches, tokens: bool) -> Result<(), Failure> {
    let Some((action, matches)) = matches.subcommand() else { return Err("there is no such command".into()) };
    let command = OperatorCommand::read(matches)?;
    let realm = command.realm(matches)?;
    let name = matches.try_get_one::<CredentialName>("name").ok().flatten();
    runtime()?.block_on(async {
        let service = command.service().await?;
        let operators = service.operators_as(command.note());
        if action == "list" {
            let all = operators.list_credentials(&realm, tokens).await?;
            let shown: Vec<Value> = all.iter().map(credential_json).collect();
            let text =
                || if all.is_empty() { "none".to_owned() } else { all.iter().map(line).collect::<Vec<_>>().join("\n") };
            return command.show(&json!(shown), text);
        }
        if command.dry_run {
            let known = operators.list_credentials(&realm, tokens).await?;
            let exists = known.iter().any(|credential| Some(&credential.name) == name);
            return say_plan(&command, &realm, (action, name), exists);
        }
        let issued = match (action, name) {
            ("create", Some(name)) => operators.create_client(&realm, name.as_str()).await?.ok_or_else(taken)?,
            ("create", None) => {
                let scopes: Vec<Scope> = matches.get_many("scope").into_iter().flatten().copied().collect();
                let days = matches.get_one::<u64>("days").copied().unwrap_or(1);
                let lifetime = Duration::from_secs(days * 24 * 3600);
                operators.create_operator_token(&realm, Scopes::of(&scopes), lifetime).await?
            }
            ("rotate", Some(name)) => operators.rotate_client(&realm, name.as_str()).await.map_err(explain)?,
            (_, Some(name)) => {
                operators.end_credential(&realm, name).await.map_err(explain)?;
                let shown = json!({"id": name.as_str(), "realm": realm.as_str(), "deleted": true});
                return command.show(&shown, || format!("{name} in {realm} is deleted"));
            }
            _ => return Err("there is no such command".into()),
        };
        show_secret(&command, &issued)
    })
}

/// Says what would be done.
fn say_plan(
    command: &OperatorCommand,
    realm: &Realm,
    (action, name): (&str, Option<&CredentialName>),
    exists: bool,
) -> Result<(), Failure> {
    match (action, name) {
        ("create", Some(_)) if exists => return Err(taken()),
        ("rotate" | "delete" | "revoke", _) if !exists => return Err(explain(AuthError::NotFound)),
        _ => {}
    }
    let name = name.map(CredentialName::as_str);
    let shown = json!({"dry_run": true, "command": action, "id": name, "realm": realm.as_str()});
    command.show(&shown, || format!("{action}: {} in {realm} would be changed", name.unwrap_or("a new token")))
}

/// Prints the secret alone on standard output, so that it can be piped, and the rest on standard error.
fn show_secret(command: &OperatorCommand, issued: &Issued) -> Result<(), Failure> {
    let mut shown = credential_json(&issued.credential);
    if let Some(members) = shown.as_object_mut() {
        members.insert("secret".to_owned(), json!(issued.secret.expose()));
    }
    if !command.json {
        let told = format!("{}\nThis secret is shown once:", line(&issued.credential));
        let _ = writeln!(std::io::stderr(), "{told}");
    }
    command.show(&shown, || issued.secret.expose().to_owned())
}

fn taken() -> Failure {
    Failure::Failed("the realm has a client of that id. Fix: take another id, or call `clients rotate`".to_owned())
}

fn explain(error: AuthError) -> Failure {
    match error {
        AuthError::NotFound => Failure::NotFound("the realm has no such credential".to_owned()),
        error => error.into(),
    }
}

fn credential_json(credential: &Credential) -> Value {
    json!({
        "id": credential.name.as_str(),
        "realm": credential.realm.as_str(),
        "scopes": credential.scopes.names(),
        "created_at": rfc3339(credential.created_at),
        "expires_at": credential.expires_at.map(rfc3339),
    })
}

fn line(credential: &Credential) -> String {
    let Credential { name, realm, scopes, created_at, expires_at, .. } = credential;
    let until = expires_at.map_or_else(String::new, |end| format!("  until {}", rfc3339(end)));
    format!("{name}  {realm}  {}  since {}{until}", scopes.names().join(" "), rfc3339(*created_at))
}
