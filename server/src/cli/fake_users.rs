//! `portcullis users fake`: made-up accounts for benchmarks and demonstrations. It refuses in production.

use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use futures_util::{StreamExt as _, TryStreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::password::Password;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::operator::fake_user::fake_address;
use portcullis_core::use_cases::shared::errors::AuthError;

use super::failure::Failure;
use super::operator::realm;
use super::{print, runtime, settings};
use crate::bootstrap;
use crate::config::{Database, Environment, Settings};

/// The default password of the accounts that `fake` creates.
const PASSWORD: &str = "tern-Quartz-58-lantern";
/// How many users are inserted at the same time into SQLite, which commits many at once.
const CONCURRENT_INSERTS: usize = 512;
/// The same for MongoDB: as many transactions as its pool has connections for.
const CONCURRENT_TRANSACTIONS: usize = 8;

/// Its arguments.
pub fn command() -> Command {
    let count = Arg::new("count").long("count").value_name("NUMBER").required(true).value_parser(value_parser!(u64));
    let realm = Arg::new("realm").long("realm").value_name("REALM").help("The realm; by default the first of REALMS");
    let password = Arg::new("password").long("password").value_name("TEXT").default_value(PASSWORD);
    Command::new("fake")
        .about("Makes verified accounts for tests, in development only; existing ones stay")
        .arg(count.help("The number of accounts that exist afterwards: fake-1@example.org and so on"))
        .arg(realm)
        .arg(password.help("The password of all of them"))
}

/// Makes them.
pub fn run(fake: &ArgMatches) -> Result<(), Failure> {
    let settings = settings(std::collections::BTreeMap::new()).map_err(String::from)?;
    // before any database is opened
    if settings.environment == Environment::Production {
        return Err("ENVIRONMENT=production: fake users are for development only. Fix: run this with the settings of a development \
                    server"
            .into());
    }
    let fake_users = FakeUsers::read(fake, &settings)?;
    runtime()?.block_on(async {
        let service = bootstrap::open_service(&settings, Arc::new(OsRandomness)).await;
        Ok(fake_users.insert(&service.map_err(|error| in_use(&error))?).await?)
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
    fn read(matches: &ArgMatches, settings: &Settings) -> Result<Self, Failure> {
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

    /// Inserts them with one hash for all: a hash for each would take hours on a machine of two cores.
    async fn insert(&self, service: &AuthService) -> Result<(), String> {
        let password = Password::from_login_input(&self.password).ok_or("--password: too long")?;
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
        let made = made.map_err(|error| told(&error))?;
        let (count, realm, last) = (self.count, &self.realm, fake_address(self.count));
        let there = count - made;
        print(&format!("{made} users made in {realm}, {there} were there already: fake-1@example.org to {last}"));
        Ok(())
    }
}

fn told(error: &AuthError) -> String {
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
        Some((told, _)) if told.contains("in use by another") => {
            format!("{told}. Fix: the embedded store has one process: stop the server, call this, and start it again")
        }
        _ => error.to_owned(),
    }
}
