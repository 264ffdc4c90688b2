//! The checks of `portcullis doctor`: every connection of the settings, tried once, and the state of a running server.
//! Nothing is written.

use std::path::Path;
use std::sync::Arc;

use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::messaging::links::LinkBuilder;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::messaging::twilio;
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::redis::probe;
use portcullis_adapters::sqlite::{OpenError, Sqlite};
use portcullis_adapters::watchman;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::randomness::Randomness;

use super::check_result::CheckResult;
use super::running_server::check_running_server;
use super::secret_check::{SecretCheck, StoreSecrets};
use super::{messaging, stores};
use crate::config::{Database, Environment, Settings};

/// Runs every check.
pub async fn run_checks(settings: &Settings, randomness: Arc<dyn Randomness>) -> Vec<CheckResult> {
    let mut results = vec![CheckResult::ok("settings", "complete; every secret is long and random enough")];
    results.extend(settings.warnings.iter().map(|warning| CheckResult::ok("settings", format!("warning: {warning}"))));
    results.push(database(settings, randomness).await);
    results.push(redis(settings).await);
    match Renderer::new(settings.templates_dir.as_deref()) {
        Ok(renderer) => {
            results.push(CheckResult::ok("templates", "every template can be rendered"));
            let renderer = Arc::new(renderer);
            results.push(mail(settings, &renderer).await);
            results.push(texts(settings, &renderer).await);
        }
        Err(error) => {
            let fix = "correct the file, or remove it: the built-in one takes its place";
            results.push(CheckResult::failed(
                "templates",
                format!("TEMPLATES_DIR: {error}"),
                "templates that can be rendered",
                fix,
            ));
        }
    }
    results.push(watching(settings).await);
    results.push(check_running_server(settings).await);
    results
}

async fn database(settings: &Settings, randomness: Arc<dyn Randomness>) -> CheckResult {
    const WHAT: &str = "database";
    const EXPECTED: &str = "a database of this version, written with these secrets";
    let secrets = match StoreSecrets::of(settings, randomness) {
        Ok(secrets) => secrets,
        Err(message) => return CheckResult::from_message(WHAT, &message, EXPECTED),
    };
    let place = settings.database.shown();
    let check = |setting| secrets.check(setting, place.clone());
    let looked = match &settings.database {
        Database::Sqlite { path } if !path.exists() => {
            return CheckResult::ok(WHAT, format!("{place} does not exist yet: the first start creates it"));
        }
        Database::Sqlite { path } => match open_sqlite(path, &secrets.macs) {
            Ok(Some(store)) => check_store(&store, &check("DATABASE_URL"), store.schema_version()).await,
            Ok(None) => return CheckResult::ok(WHAT, format!("{place} is in use by a running server")),
            Err(message) => Err(message),
        },
        Database::MongoDb { url, name } => {
            match MongoDb::connect_as_is(&stores::mongo(settings, url.expose(), name), &secrets.macs).await {
                Ok(store) => check_store(&store, &check("MONGO_URL"), store.schema_version()).await,
                Err(error) => Err(format!("MONGO_URL: {error}. Fix: {}", error.fix())),
            }
        }
    };
    match looked {
        Ok(saw) => CheckResult::ok(WHAT, format!("{place}: {saw}")),
        Err(message) => CheckResult::from_message(WHAT, &message, EXPECTED),
    }
}

/// `None` if a running server has it open.
fn open_sqlite(path: &Path, macs: &Arc<RecordMacs>) -> Result<Option<Sqlite>, String> {
    match Sqlite::open(path, macs) {
        Ok(store) => Ok(Some(store)),
        Err(OpenError::Locked { .. }) => Ok(None),
        Err(error) => Err(format!("DATABASE_URL: {error}")),
    }
}

async fn check_store(store: &dyn CheckValueStore, check: &SecretCheck<'_>, version: u32) -> Result<String, String> {
    let used = check.verify(store).await?;
    check.verify_complete(store).await?;
    Ok(if used {
        format!("schema version {version}, written with these secrets")
    } else {
        "empty: no server has used it yet".to_owned()
    })
}

async fn redis(settings: &Settings) -> CheckResult {
    let Some(redis) = stores::redis(settings) else {
        return CheckResult::ok("redis", "not set: each process counts rate limits for itself");
    };
    match probe::check_reachable(&redis).await {
        Ok(version) => CheckResult::ok("redis", format!("Redis {version}")),
        Err(found) => CheckResult::diagnosed("redis", "REDIS_URL", found, "a Redis that answers"),
    }
}

const MAIL: &str = "a mail server that accepts the connection and the login";

async fn mail(settings: &Settings, renderer: &Arc<Renderer>) -> CheckResult {
    let Some(mail) = &settings.mail else {
        return CheckResult::ok("mail", "not set: e-mails stay in the development mailbox");
    };
    let mailer = match messaging::connectable(settings, mail, renderer) {
        Ok(mailer) => mailer,
        Err(message) => return CheckResult::from_message("mail", &message, MAIL),
    };
    match mailer.offers_smtputf8().await {
        Ok(false) if settings.input.smtputf8 => {
            let saw = format!("MAIL_SMTPUTF8: {}", messaging::NO_SMTPUTF8);
            CheckResult::failed("mail", saw, "a mail server with SMTPUTF8", messaging::NO_SMTPUTF8_FIX)
        }
        Ok(_) => CheckResult::ok("mail", format!("{}:{} accepts the connection and the login", mail.host, mail.port)),
        Err(found) => CheckResult::diagnosed("mail", "MAIL_SERVER", found, MAIL),
    }
}

const SMS: &str = "an account that Twilio accepts";

async fn texts(settings: &Settings, renderer: &Arc<Renderer>) -> CheckResult {
    let Some(texts) = &settings.texts else {
        let saw = match settings.environment {
            Environment::Development => "not set: SMS stay in the development mailbox",
            Environment::Production => "not set: no SMS is sent, so that no phone can be verified",
        };
        return CheckResult::ok("sms", saw);
    };
    let links = LinkBuilder::new(String::new(), settings.app.name.clone(), None);
    let sms_sender = match messaging::twilio(texts, &links, renderer) {
        Ok(sms_sender) => sms_sender,
        Err(message) => return CheckResult::from_message("sms", &message, SMS),
    };
    match sms_sender.check_account(twilio::TIMEOUT).await {
        Ok(()) => CheckResult::ok("sms", "Twilio accepts the account and its token"),
        Err(found) => CheckResult::diagnosed("sms", "TWILIO_SID", found, SMS),
    }
}

async fn watching(settings: &Settings) -> CheckResult {
    let Some(set) = &settings.watchman else {
        return CheckResult::ok("watchman", "not set: audit events are in the database only");
    };
    match watchman::check_reachable(set.url.as_deref()).await {
        Ok(()) => CheckResult::ok("watchman", "a server answers at WATCHMAN_URL"),
        // until then audit events are in the database only
        Err(found) => CheckResult::diagnosed("watchman", "WATCHMAN_URL", found, "a server that answers"),
    }
}
