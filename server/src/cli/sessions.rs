//! `portcullis sessions end`: ends the sessions of an account, a realm, or all realms, for an incident.

use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::user::User;
use portcullis_core::ports::user_store::AccountPage;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::json;

use super::account_call::sessions_text;
use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, reason};
use super::progress::Progress;
use super::runtime;

/// Accounts whose sessions end at the same time.
const CONCURRENT: usize = 16;

/// Its arguments.
pub fn command() -> Command {
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Every realm");
    let realm = Arg::new("realm").long("realm").value_name("REALM").help("One of REALMS");
    let user = Arg::new("user").long("user").value_name("ID_OR_EMAIL").requires("realm");
    let user = user.conflicts_with("all").help("One account of the realm; its owner gets a mail");
    let notify = Arg::new("notify").long("notify").action(ArgAction::SetTrue);
    let notify = notify.help("Mails the owner of each account too");
    let end = Command::new("end")
        .about("Ends sessions, and every link and code of their accounts")
        .after_help(
            "Beside running servers. Stopped in the middle, the same call goes on: accounts without a session are left \
             as they are. A login during the call begins a session that stays.",
        )
        .args([all, realm.conflicts_with("all"), user, notify, reason(), dry_run(), json_flag()])
        .group(ArgGroup::new("which").args(["all", "realm"]).required(true));
    Command::new("sessions").about("Sessions").subcommand_required(true).arg_required_else_help(true).subcommand(end)
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((_, matches)) = matches.subcommand() else { return Err("there is no such command".into()) };
    let command = OperatorCommand::read(matches)?;
    let realms = if matches.get_flag("all") {
        let parse = |name: &String| Realm::parse(name).map_err(|error| format!("REALMS: {name}: {error}"));
        command.settings.realms.iter().map(parse).collect::<Result<Vec<_>, _>>()?
    } else {
        vec![command.realm(matches)?]
    };
    runtime()?.block_on(async {
        let service = command.service().await?;
        let end =
            End { command: &command, service: &service, notify: matches.get_flag("notify"), counts: Counts::default() };
        match (matches.get_one::<String>("user"), realms.first()) {
            (Some(who), Some(realm)) => end.of_account(realm, who).await?,
            _ => end.of_realms(&realms).await?,
        }
        end.report()
    })
}

#[derive(Default)]
struct Counts {
    seen: AtomicU64,
    accounts: AtomicU64,
    sessions: AtomicU64,
}

struct End<'a> {
    command: &'a OperatorCommand,
    service: &'a AuthService,
    notify: bool,
    counts: Counts,
}

impl End<'_> {
    async fn of_account(&self, realm: &Realm, who: &str) -> Result<(), Failure> {
        let operators = self.service.operators_as(self.command.note());
        if self.command.dry_run {
            let state = operators.find_account(realm, who).await?;
            self.count(state.sessions);
        } else {
            let done = operators.end_sessions(realm, who).await?;
            self.count(done.sessions);
        }
        Ok(())
    }

    async fn of_realms(&self, realms: &[Realm]) -> Result<(), Failure> {
        let progress = Progress::quiet();
        for realm in realms {
            let mut after = None;
            loop {
                let page = self.service.operators().list_accounts(realm, after).await?;
                let AccountPage { users, next } = page;
                let accounts = stream::iter(users).map(|user| self.of_user(user));
                accounts.buffer_unordered(CONCURRENT).try_collect::<()>().await?;
                progress.count("accounts", self.counts.seen.load(Ordering::Relaxed));
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        progress.end();
        Ok(())
    }

    async fn of_user(&self, user: User) -> Result<(), Failure> {
        self.counts.seen.fetch_add(1, Ordering::Relaxed);
        let operators = self.service.operators_as(self.command.note());
        let state = operators.state_of(&user).await?;
        if state.sessions == 0 {
            return Ok(());
        }
        if self.command.dry_run {
            self.count(state.sessions);
            return Ok(());
        }
        match operators.end_sessions_of(user, self.notify).await {
            Ok(done) => self.count(done.sessions),
            // it was deleted meanwhile, and its sessions with it
            Err(AuthError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn count(&self, sessions: u64) {
        self.counts.accounts.fetch_add(1, Ordering::Relaxed);
        self.counts.sessions.fetch_add(sessions, Ordering::Relaxed);
    }

    fn report(&self) -> Result<(), Failure> {
        let (accounts, sessions) =
            (self.counts.accounts.load(Ordering::Relaxed), self.counts.sessions.load(Ordering::Relaxed));
        let dry_run = self.command.dry_run;
        let shown = json!({"accounts": accounts, "sessions_ended": sessions, "dry_run": dry_run});
        let would = if dry_run { "would end" } else { "ended" };
        let accounts = if accounts == 1 { "1 account".to_owned() } else { format!("{accounts} accounts") };
        self.command.show(&shown, || format!("{} of {accounts} {would}", sessions_text(sessions)))
    }
}
