//! Every connection that the settings ask for, tried once; nothing is written.

use std::path::Path;
use std::sync::Arc;

use portcullis_adapters::messaging::links::Links;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::redis::probe;
use portcullis_adapters::sqlite::{OpenError, Sqlite};
use portcullis_adapters::watchman;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::randomness::Randomness;

use super::secret_check::{SecretCheck, StoreSecrets};
use super::{messaging, stores};
use crate::config::{Database, Settings};

/// What was found about one thing.
pub struct Finding {
    /// The thing.
    pub what: &'static str,
    /// What was seen.
    pub saw: String,
    /// What there should be, and what to type; `None` where all is well.
    pub wrong: Option<Wrong>,
}

/// How it should be instead.
pub struct Wrong {
    /// What was expected.
    pub expected: String,
    /// What to do.
    pub mend: String,
}

impl Finding {
    fn well(what: &'static str, saw: impl Into<String>) -> Self {
        Self { what, saw: saw.into(), wrong: None }
    }

    fn wrong(what: &'static str, saw: impl Into<String>, expected: &str, mend: impl Into<String>) -> Self {
        let wrong = Wrong { expected: expected.to_owned(), mend: mend.into() };
        Self { what, saw: saw.into(), wrong: Some(wrong) }
    }

    /// From a sentence of a start that has its mend in it.
    fn told(what: &'static str, told: &str, expected: &str) -> Self {
        let (saw, mend) = told.split_once(". Fix: ").unwrap_or((told, "see the documentation of that setting"));
        Self::wrong(what, saw, expected, mend)
    }
}

/// Tries everything.
pub async fn examine(settings: &Settings, randomness: Arc<dyn Randomness>) -> Vec<Finding> {
    let mut findings = vec![Finding::well("settings", "complete, and every secret long and random enough")];
    findings.extend(settings.warnings.iter().map(|warning| Finding::well("settings", format!("warning: {warning}"))));
    findings.push(database(settings, randomness).await);
    findings.push(redis(settings).await);
    match Renderer::new(settings.templates_dir.as_deref()) {
        Ok(renderer) => {
            findings.push(Finding::well("templates", "every template can be filled in"));
            let renderer = Arc::new(renderer);
            findings.push(mail(settings, &renderer).await);
            findings.push(texts(settings, &renderer).await);
        }
        Err(error) => {
            let mend = "correct the file, or remove it: the built-in one takes its place";
            findings.push(Finding::wrong("templates", format!("TEMPLATES_DIR: {error}"), "templates that work", mend));
        }
    }
    findings.push(watching(settings).await);
    findings
}

async fn database(settings: &Settings, randomness: Arc<dyn Randomness>) -> Finding {
    const WHAT: &str = "database";
    const EXPECTED: &str = "a database of this version, written with these secrets";
    let secrets = match StoreSecrets::of(settings, randomness) {
        Ok(secrets) => secrets,
        Err(message) => return Finding::told(WHAT, &message, EXPECTED),
    };
    let place = settings.database.shown();
    let check = |setting| secrets.check(setting, place.clone());
    let looked = match &settings.database {
        Database::Sqlite { path } if !path.exists() => {
            return Finding::well(WHAT, format!("{place} is not there yet: the first start makes it"));
        }
        Database::Sqlite { path } => match open_sqlite(path) {
            Ok(Some(store)) => check_store(&store, &check("DATABASE_URL"), store.schema_version()).await,
            Ok(None) => return Finding::well(WHAT, format!("{place} is in use: a server runs on it")),
            Err(told) => Err(told),
        },
        Database::MongoDb { url, name } => {
            match MongoDb::connect_as_is(&stores::mongo(settings, url.expose(), name)).await {
                Ok(store) => check_store(&store, &check("MONGO_URL"), store.schema_version()).await,
                Err(error) => Err(format!("MONGO_URL: {error}. Fix: {}", stores::fix(&error))),
            }
        }
    };
    match looked {
        Ok(saw) => Finding::well(WHAT, format!("{place}: {saw}")),
        Err(told) => Finding::told(WHAT, &told, EXPECTED),
    }
}

/// `None` for one that a server uses.
fn open_sqlite(path: &Path) -> Result<Option<Sqlite>, String> {
    match Sqlite::open(path) {
        Ok(store) => Ok(Some(store)),
        Err(OpenError::Locked { .. }) => Ok(None),
        Err(error) => Err(format!("DATABASE_URL: {error}")),
    }
}

async fn check_store(store: &dyn CheckValueStore, check: &SecretCheck<'_>, version: u32) -> Result<String, String> {
    let used = check.verify(store).await?;
    check.verify_complete(store).await?;
    Ok(if used { format!("schema {version}, of these secrets") } else { "empty".to_owned() })
}

async fn redis(settings: &Settings) -> Finding {
    let Some(redis) = stores::redis(settings) else {
        return Finding::well("redis", "not set: limits are this process's");
    };
    match probe::look(&redis).await {
        Ok(version) => Finding::well("redis", format!("Redis {version}")),
        Err(reason) => {
            let mend = if reason.contains("certificate") {
                "set TLS_CA_FILE to the certificate of the authority that signs it, and use a name that stands in it"
            } else if reason.contains("Authentication") {
                "correct the user name and password in REDIS_URL: rediss://user:password@host:6379"
            } else {
                "start it, or correct host and port in REDIS_URL; without it everything works, with stricter limits"
            };
            Finding::wrong("redis", format!("REDIS_URL: {reason}"), "a Redis that answers", mend)
        }
    }
}

async fn mail(settings: &Settings, renderer: &Arc<Renderer>) -> Finding {
    let Some(mail) = &settings.mail else { return Finding::well("mail", "not set: mail goes to the mailbox") };
    // no message is sent: the links lead nowhere
    let links = Links { public_url: String::new(), app_name: settings.app.name.clone() };
    let looked = match messaging::smtp(settings, mail, renderer, &links) {
        Ok(mailer) => mailer.look().await,
        Err(told) => Err(told),
    };
    match looked {
        Ok(()) => Finding::well("mail", format!("{}:{} takes mail from us", mail.host, mail.port)),
        Err(reason) => {
            let mend = if reason.contains("certificate") {
                "set TLS_CA_FILE to the certificate of the authority that signs it, and MAIL_SERVER to a name that \
                 stands in it"
            } else if reason.contains("(535") || reason.contains("(534") {
                "correct MAIL_USERNAME and MAIL_PASSWORD"
            } else {
                "start it, or correct MAIL_SERVER, MAIL_PORT, MAIL_STARTTLS and MAIL_SSL_TLS"
            };
            Finding::wrong("mail", format!("MAIL_SERVER: {reason}"), "a mail server that lets us in", mend)
        }
    }
}

async fn texts(settings: &Settings, renderer: &Arc<Renderer>) -> Finding {
    let Some(texts) = &settings.texts else { return Finding::well("texts", "not set: texts go to the mailbox") };
    let looked = match messaging::twilio(texts, settings, renderer) {
        Ok(sms_sender) => sms_sender.look().await,
        Err(told) => Err(told),
    };
    match looked {
        Ok(()) => Finding::well("texts", "Twilio knows the account"),
        Err(reason) => {
            let mend = "correct TWILIO_SID and TWILIO_AUTH_TOKEN, and TWILIO_BASE_URL where it is set";
            Finding::wrong("texts", format!("TWILIO_SID: {reason}"), "an account that Twilio knows", mend)
        }
    }
}

async fn watching(settings: &Settings) -> Finding {
    let Some(set) = &settings.watchman else {
        return Finding::well("watchman", "not set: events stay in the audit log");
    };
    match watchman::look(set.url.as_deref()).await {
        Ok(()) => Finding::well("watchman", "something answers there"),
        Err(reason) => {
            let mend = "start it, or correct WATCHMAN_URL; until then events are in the audit log only";
            Finding::wrong("watchman", format!("WATCHMAN_URL: {reason}"), "a server that answers", mend)
        }
    }
}
