//! `portcullis users`: accounts, for the person on call. They work beside running servers, on SQLite too.

use clap::{Arg, ArgMatches, Command};
use portcullis_core::model::realm::Realm;
use portcullis_core::use_cases::operator::disable::StatusChange;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::{Value, json};

use super::account_call::{Call, line, sessions_text};
use super::failure::Failure;
use super::operator::{
    Command as OperatorCommand, account, dry_run, json as json_flag, realm_argument, reason, text_or_stdin,
};
use super::progress::Progress;
use super::{fake_users, new_account, personal_data, roles, runtime};
use crate::http::account_json;

/// Its arguments.
pub fn command() -> Command {
    let about = |name: &'static str, about: &'static str| Command::new(name).about(about).arg(json_flag());
    let change = |name: &'static str, text: &'static str| {
        about(name, text).args([account(), realm_argument(), reason(), dry_run()])
    };
    let read = |name: &'static str, text: &'static str| {
        about(name, text).args([account(), realm_argument(), reason().required(true)])
    };
    let who = Arg::new("user").value_name("ID_EMAIL_OR_PHONE").required(true);
    let find = about("find", "Finds accounts by id, address or number, without a field of the person")
        .after_help(
            "Exact search only. A number has no index: every account of the realm is opened. Exit code 3: none.",
        )
        .arg(who.help("An id (usr_…), an e-mail address or an international number; - reads it from standard input"))
        .arg(realm_argument());
    let disable = change("disable", "Disables an account: its sessions and tokens end at once, and it can't log in")
        .after_help(
            "A server may be running, on the embedded store too. Nothing tells the outside that the account is disabled: \
             it answers as for a wrong password. Its e-mail address stays taken. Called again, it ends whatever is left.",
        );
    Command::new("users")
        .about("Accounts")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(find)
        .subcommand(read("show", "Shows an account with the fields of its owner; the reading is an audit event"))
        .subcommand(read("export", "Prints everything stored about a person as JSON; its owner gets a mail"))
        .subcommand(new_account::create())
        .subcommand(new_account::invite())
        .subcommand(disable)
        .subcommand(change(
            "enable",
            "Enables it again: its owner can log in; sessions and links from before stay invalid",
        ))
        .subcommand(change("delete", "Deletes an account as its owner would; its owner gets a mail"))
        .subcommand(change("end-sessions", "Ends all sessions, links and codes of an account; its owner gets a mail"))
        .subcommand(change(
            "require-reset",
            "Makes the password void, ends all sessions, and mails a link to choose another",
        ))
        .subcommand(change(
            "reset-factors",
            "Removes every second factor and all backup codes, for an owner who lost them all; its owner gets a mail",
        ))
        .subcommand(roles::command())
        .subcommand(fake_users::command())
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("fake", fake)) => fake_users::run(fake),
        Some((name @ ("create" | "invite"), form)) => new_account::run(form, name == "invite"),
        Some((name, matches)) => {
            let command = OperatorCommand::read(matches)?;
            let realm = command.realm(matches)?;
            let who = text_or_stdin(matches, "user")?;
            runtime()?.block_on(async {
                let service = command.service().await?;
                let call = Call { command: &command, service: &service, realm: &realm, who: who.trim() };
                match name {
                    "find" => find(&call).await,
                    "show" => personal_data::show(&call).await,
                    "export" => personal_data::export(&call).await,
                    "roles" => roles::run(&call, matches).await,
                    name => change(&call, name).await,
                }
            })
        }
        None => Err("there is no such command. Fix: see `portcullis users --help`".into()),
    }
}

/// Finds accounts, and shows none of their owners' fields.
async fn find(call: &Call<'_>) -> Result<(), Failure> {
    let operators = call.service.operators_as(call.command.note());
    let is_number = call.who.starts_with('+');
    let found = if is_number {
        let progress = Progress::quiet();
        let count = |seen| progress.count("accounts", seen);
        let found = operators.find_accounts_by_phone(call.realm, call.who, &count).await;
        progress.end();
        found.map_err(|error| call.explain(error))?
    } else {
        vec![operators.find_account(call.realm, call.who).await.map_err(|error| call.explain(error))?]
    };
    if found.is_empty() {
        return Err(call.explain(AuthError::NotFound));
    }
    let shown: Vec<Value> = found.iter().map(|state| account_json(call.realm, state)).collect();
    call.command
        .show(&json!(shown), || found.iter().map(|state| line(call.realm, state)).collect::<Vec<_>>().join("\n"))
}

/// Changes the account, or says what would be changed.
async fn change(call: &Call<'_>, name: &str) -> Result<(), Failure> {
    let operators = call.service.operators_as(call.command.note());
    let failed = |error| call.explain(error);
    if call.command.dry_run {
        let state = operators.find_account(call.realm, call.who).await.map_err(failed)?;
        let shown = json!({"dry_run": true, "command": name, "account": account_json(call.realm, &state)});
        return call.command.show(&shown, || format!("{name}: would change {}", line(call.realm, &state)));
    }
    let (user, changed, sessions, text) = match name {
        "disable" | "enable" => {
            let disable = name == "disable";
            let done = if disable {
                operators.disable(call.realm, call.who).await
            } else {
                operators.enable(call.realm, call.who).await
            };
            let done = done.map_err(failed)?;
            (done.user, done.changed, done.sessions, said(call.realm, &done, disable))
        }
        "delete" => {
            let user = operators.delete_account(call.realm, call.who).await.map_err(failed)?;
            (user, true, 0, format!("{user} in {} is deleted", call.realm))
        }
        "reset-factors" => {
            let done = operators.reset_factors(call.realm, call.who).await.map_err(failed)?;
            let ended = sessions_text(done.sessions);
            let text = format!("{} in {} has no second factor any more: {ended} ended", done.user, call.realm);
            (done.user, true, done.sessions, text)
        }
        "end-sessions" | "require-reset" => {
            let reset = name == "require-reset";
            let done = if reset {
                operators.require_reset(call.realm, call.who).await
            } else {
                operators.end_sessions(call.realm, call.who).await
            };
            let done = done.map_err(failed)?;
            let what = if reset { "needs a new password" } else { "is logged out everywhere" };
            let text = format!("{} in {} {what}: {} ended", done.user, call.realm, sessions_text(done.sessions));
            (done.user, true, done.sessions, text)
        }
        _ => return Err("there is no such command. Fix: see `portcullis users --help`".into()),
    };
    let realm = call.realm.as_str();
    let shown = json!({"id": user.to_string(), "realm": realm, "changed": changed, "sessions_ended": sessions});
    call.command.show(&shown, || text)
}

fn said(realm: &Realm, done: &StatusChange, disabled: bool) -> String {
    let StatusChange { user, changed, sessions } = done;
    let was = if *changed { "" } else { " already" };
    if disabled {
        format!("{user} in {realm} is disabled{was}: {} ended, and every token with them", sessions_text(*sessions))
    } else {
        format!("{user} in {realm} is enabled{was}")
    }
}
