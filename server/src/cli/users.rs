//! `portcullis users`: `disable` and `enable` an account, for the person on call; `fake` makes made-up ones, for
//! benchmarks and demonstrations, and refuses in production.

use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::password::Password;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::operator::disable::StatusChange;
use portcullis_core::use_cases::operator::fake_user::fake_address;
use portcullis_core::use_cases::shared::errors::AuthError;

use super::{print, require_database, runtime, settings};
use crate::bootstrap;
use crate::config::{Database, Environment, Settings};

/// The default password of the accounts that `fake` creates.
const PASSWORD: &str = "tern-Quartz-58-lantern";
/// Events that are looked through for what was just recorded: it is not the newest where the servers' clocks are ahead of
/// this machine's.
const EVIDENCE: u32 = 10_000;
/// How many users are inserted at the same time into SQLite, which commits many at once.
const CONCURRENT_INSERTS: usize = 512;
/// The same for MongoDB: as many transactions as its pool has connections for.
const CONCURRENT_TRANSACTIONS: usize = 8;

/// Its arguments.
pub fn command() -> Command {
    let count = Arg::new("count").long("count").value_name("NUMBER").required(true).value_parser(value_parser!(u64));
    let realm = Arg::new("realm").long("realm").value_name("REALM").help("The realm; by default the first of REALMS");
    let password = Arg::new("password").long("password").value_name("TEXT").default_value(PASSWORD);
    let fake = Command::new("fake")
        .about("Makes verified accounts for tests, in development only; existing ones stay")
        .arg(count.help("The number of accounts that exist afterwards: fake-1@example.org and so on"))
        .arg(realm)
        .arg(password.help("The password of all of them"));
    let who = Arg::new("user").value_name("ID_OR_EMAIL").required(true);
    let who = who.help("An id (usr_…), as the audit log has it, or an e-mail address; - reads it from standard input");
    let of = Arg::new("realm").long("realm").value_name("REALM").required(true).help("One of REALMS");
    let disable = Command::new("disable")
        .about("Disables an account: its sessions and tokens end at once, and it can't log in")
        .after_help(
            "A server may be running, on the embedded store too. Nothing tells the outside that the account is disabled: \
             it answers as for a wrong password. Its e-mail address stays taken. Called again, it ends whatever is left.",
        );
    let enable = Command::new("enable")
        .about("Enables it again: its owner can log in; sessions and links from before stay invalid");
    Command::new("users")
        .about("Disables and enables accounts; makes fake ones for tests")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(disable.args([who.clone(), of.clone()]))
        .subcommand(enable.args([who, of]))
        .subcommand(fake)
}

/// Runs the subcommand.
///
/// # Errors
/// The problem.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    match matches.subcommand() {
        Some(("fake", fake)) => make(fake),
        Some(("disable", whom)) => switch(whom, true),
        Some(("enable", whom)) => switch(whom, false),
        _ => Err("there is no such command. Fix: see `portcullis users --help`".to_owned()),
    }
}

fn switch(matches: &ArgMatches, disabled: bool) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    let realm = realm(matches, &settings)?;
    let who = match matches.get_one::<String>("user").map_or("", String::as_str) {
        "-" => std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))?,
        who => who.to_owned(),
    };
    require_database(&settings)?;
    runtime()?.block_on(async {
        let service = bootstrap::open_service_beside(&settings, Arc::new(OsRandomness)).await?;
        let began = service.ports.clock.now();
        let done = if disabled { service.operators().disable(&realm, &who).await } else { service.operators().enable(&realm, &who).await };
        let done = done.map_err(|error| match error {
            AuthError::NotFound => format!(
                "{realm} has no such account. Fix: name it by its id (usr_…) or by the address it logs in with; one whose \
                 address was never verified is no account yet"
            ),
            error => describe(&error),
        })?;
        // recorded events are written when this returns, and this process may end
        let kind = if disabled { EventKind::AccountDisabled } else { EventKind::AccountEnabled };
        let evidence = service.ports.audit.of_user(&realm, &done.user, EVIDENCE).await;
        print(&said(&realm, &done, disabled));
        match evidence {
            Ok(events) if events.iter().any(|event| event.kind == kind && event.at >= began) => Ok(()),
            Ok(_) => Err(format!("done, but the event {} is not in the audit log. Fix: look for the cause in the log of the database", kind.as_str())),
            Err(error) => Err(format!("done, but the audit log cannot be read: {}", error.source)),
        }
    })
}

fn said(realm: &Realm, done: &StatusChange, disabled: bool) -> String {
    let StatusChange { user, changed, sessions } = done;
    let was = if *changed { "" } else { " already" };
    if disabled {
        let sessions = if *sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") };
        format!("{user} in {realm} is disabled{was}: {sessions} ended, and every token with them")
    } else {
        format!("{user} in {realm} is enabled{was}")
    }
}

fn realm(matches: &ArgMatches, settings: &Settings) -> Result<Realm, String> {
    let realm = matches.get_one::<String>("realm").or_else(|| settings.realms.first());
    let realm = realm.filter(|realm| settings.realms.contains(realm)).ok_or_else(|| {
        format!("--realm: there is no such realm. Fix: one of REALMS, which are {}", settings.realms.join(", "))
    })?;
    Realm::parse(realm).map_err(|error| format!("--realm {realm}: {error}"))
}

fn make(fake: &ArgMatches) -> Result<(), String> {
    let settings = settings(std::collections::BTreeMap::new())?;
    // before any database is opened
    if settings.environment == Environment::Production {
        return Err("ENVIRONMENT=production: fake users are for development only. Fix: run this with the settings of a development server".to_owned());
    }
    let fake_users = FakeUsers::read(fake, &settings)?;
    runtime()?.block_on(async {
        let service = bootstrap::open_service(&settings, Arc::new(OsRandomness)).await;
        fake_users.insert(&service.map_err(|error| in_use(&error))?).await
    })
}

/// The accounts to create.
struct FakeUsers {
    count: u64,
    realm: Realm,
    password: String,
    concurrent: usize,
}

impl FakeUsers {
    fn read(matches: &ArgMatches, settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            count: matches.get_one::<u64>("count").copied().unwrap_or_default(),
            realm: realm(matches, settings)?,
            password: matches.get_one::<String>("password").cloned().unwrap_or_default(),
            concurrent: match settings.database {
                Database::Sqlite { .. } => CONCURRENT_INSERTS,
                Database::MongoDb { .. } => CONCURRENT_TRANSACTIONS,
            },
        })
    }

    /// Inserts the accounts. They share one password hash: a hash for each would take hours on two cores.
    async fn insert(&self, service: &AuthService) -> Result<(), String> {
        let password = Password::presented(&self.password)
            .ok_or("--password: is longer than 4096 bytes. Fix: use a shorter one")?;
        let mut salt = [0; 16];
        OsRandomness.fill(&mut salt);
        let hash = service.ports.hasher.hash(password, salt).await.map_err(|error| error.to_string())?;
        let bar = progress(self.count);
        let operators = service.operators();
        let numbers = futures_util::stream::iter(1..=self.count);
        let made = numbers
            .map(|number| operators.fake_user(&self.realm, number, &hash))
            .buffer_unordered(self.concurrent)
            .inspect(|_| bar.inc(1))
            .try_fold(0_u64, async |made, new| Ok(made + u64::from(new)))
            .await;
        bar.finish_and_clear();
        let made = made.map_err(|error| describe(&error))?;
        let (count, realm, last) = (self.count, &self.realm, fake_address(self.count));
        let there = count - made;
        print(&format!("{made} users made in {realm}, {there} were there already: fake-1@example.org to {last}"));
        Ok(())
    }
}

fn describe(error: &AuthError) -> String {
    match error {
        AuthError::Port(error) => format!("{error}: {}. Fix: call it again, what is there stays", error.source),
        error => error.to_string(),
    }
}

/// On standard error, and only where a person looks at it.
fn progress(count: u64) -> ProgressBar {
    let bar = ProgressBar::new(count);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len}  {per_sec}  {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Another file, which is a server's way out, would be the wrong advice here.
fn in_use(error: &str) -> String {
    match error.split_once(". Fix: ") {
        Some((message, _)) if message.contains("in use by another") => {
            format!(
                "{message}. Fix: the embedded store has one process: stop the server, call this, and start it again"
            )
        }
        _ => error.to_owned(),
    }
}
