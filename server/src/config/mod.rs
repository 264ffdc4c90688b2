//! Configuration: the one place that reads the environment. Flags over environment over `.env` over defaults, parsed
//! once into typed sections. A refusal lists every problem at once, each with its setting, its origin and the fix.

mod dev_secrets;
mod dotenv;
pub mod keys;
pub mod migration_databases;
mod problems;
mod published_secrets;
mod secrets;
mod sections;
mod settings_reader;
mod settings_reference;
mod settings_registry;
mod sources;
mod strength;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_core::model::realm::Realm;
use portcullis_core::policy::SmsQuotas;

use crate::connections::ConnectionLimits;

pub use portcullis_core::model::secret::SecretString as SecretText;
pub use problems::{ConfigProblem, ConfigProblems};
pub use secrets::{KeyRing, Secrets};
pub use sections::{Browsers, InputRules, Mail, MailboxAccess, RateQuota, Twilio, Watchman};
pub use settings_reference::{ENV_MARK, flags, markdown, text};
pub use settings_registry::DEFAULT_LIMITS;
pub use sources::Sources;

/// Which deployment this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Nothing needs to be set.
    Development,
    /// Everything that matters must be.
    Production,
}

impl Environment {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

/// Where to listen.
#[derive(Debug, Clone)]
pub struct Listen {
    /// A name or address of this machine.
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
}

impl Listen {
    /// Where a process of this machine reaches the listener, as `host:port`.
    #[must_use]
    pub fn local_address(&self) -> String {
        let host = match self.host.as_str() {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" | "[::]" => "[::1]".to_owned(),
            host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            host => host.to_owned(),
        };
        format!("{host}:{}", self.port)
    }
}

/// The settings of the listener alone, for a command that must work without the secrets.
///
/// # Errors
/// The settings that can't be used.
pub fn listen(sources: Sources) -> Result<Listen, ConfigProblems> {
    let mut reader = settings_reader::SettingsReader::new(sources);
    let listen = sections::listen(&mut reader);
    if reader.problems.is_empty() { Ok(listen) } else { Err(ConfigProblems(reader.problems)) }
}

/// The base of the links in e-mails.
#[derive(Debug, Clone)]
pub struct PublicUrl(Option<String>);

impl PublicUrl {
    /// The base; in development, where nothing is set, the address the server listens on.
    #[must_use]
    pub fn for_listener(&self, address: SocketAddr) -> String {
        self.0.clone().unwrap_or_else(|| format!("http://{address}"))
    }

    /// Its path, below which a proxy publishes the server; without a slash at its end, and mostly empty.
    #[must_use]
    pub fn path(&self) -> String {
        let uri = self.0.as_deref().and_then(|url| url.parse::<http::Uri>().ok()).unwrap_or_default();
        uri.path().trim_end_matches('/').to_owned()
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// What the application is called.
#[derive(Debug, Clone)]
pub struct App {
    /// `APP_NAME`.
    pub name: String,
    /// `APP_DOMAIN`.
    pub domain: String,
}

/// Where accounts live.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded store.
    Sqlite {
        /// Its file.
        path: PathBuf,
    },
    /// A server.
    MongoDb {
        /// `MONGO_URL`, which may carry a password.
        url: SecretText,
        /// `MONGO_DB`.
        name: String,
    },
}

impl Database {
    /// What it is called in reports: without user and password.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("sqlite://{}", path.display()),
            Self::MongoDb { url, name } => {
                let (scheme, rest) = url.expose().split_once("://").unwrap_or(("mongodb", url.expose()));
                let hosts = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
                let hosts = hosts.split(['/', '?']).next().unwrap_or_default();
                format!("{scheme}://{hosts}/{name}")
            }
        }
    }
}

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// With the secret.
    Hs256,
    /// With a key pair derived from it.
    EdDsa,
}

/// The rate limits.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// `RATE_LIMITS`.
    pub enabled: bool,
    /// Rows that differ from the tables.
    pub changed: Vec<(&'static str, RateQuota)>,
}

impl RateLimits {
    /// The quota of a row; what is in no row has the default.
    #[must_use]
    pub fn get(&self, row: &str) -> RateQuota {
        let changed = self.changed.iter().find(|(name, _)| *name == row).map(|(_, quota)| *quota);
        changed.unwrap_or_else(|| sections::default_quota(row))
    }
}

/// What a password hash costs, and how many run.
#[derive(Debug, Clone, Copy)]
pub struct Hashing {
    /// `ARGON2_MEMORY_KIB`.
    pub memory_kib: u32,
    /// `ARGON2_ITERATIONS`.
    pub iterations: u32,
    /// `ARGON2_PARALLELISM`.
    pub parallelism: u32,
    /// `HASH_THREADS`.
    pub threads: usize,
    /// `HASH_QUEUE`.
    pub queue: usize,
}

/// How long things live.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// `ACCESS_TOKEN_TTL`.
    pub access: Duration,
    /// `REFRESH_TOKEN_TTL`.
    pub refresh: Duration,
    /// `REFRESH_TOKEN_MAX_TTL`.
    pub refresh_max: Duration,
    /// `VERIFY_TOKEN_TTL`.
    pub verify: Duration,
    /// `RESET_TOKEN_TTL`.
    pub reset: Duration,
    /// `OTP_TTL`.
    pub otp: Duration,
}

/// What a new password must be.
#[derive(Debug, Clone, Copy)]
pub struct Passwords {
    /// Fewest characters.
    pub min_length: usize,
    /// Lowest score.
    pub min_score: u8,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct Log {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_LEVEL`: a filter as `tracing` reads it.
    pub level: String,
}

/// A service that may introspect the tokens of a realm.
#[derive(Debug, Clone)]
pub struct ServiceClientSettings {
    /// The user name of its HTTP Basic credentials.
    pub id: String,
    /// The password.
    pub secret: SecretText,
    /// The realm.
    pub realm: Realm,
}

/// Everything an operator has decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which deployment this is.
    pub environment: Environment,
    /// The settings below production's floors that `ALLOW_UNSAFE` allows.
    pub allowed_unsafe: Vec<&'static str>,
    /// Where to listen.
    pub listen: Listen,
    /// The base of links.
    pub public_url: PublicUrl,
    /// Names.
    pub app: App,
    /// The populations.
    pub realms: Vec<String>,
    /// Where accounts live.
    pub database: Database,
    /// `SESSION_CACHE_TTL`.
    pub session_cache_ttl: Duration,
    /// `REDIS_URL` or `REDIS_HOST` and `REDIS_PORT`.
    pub redis: Option<SecretText>,
    /// `VALIDATE_CERTS`: certificates of servers must be good.
    pub validate_certificates: bool,
    /// `TLS_CA_FILE`: who signs them, where it is a private authority.
    pub ca_file: Option<PathBuf>,
    /// The secrets.
    pub secrets: Secrets,
    /// Where development keeps its own secrets.
    pub secrets_file: PathBuf,
    /// How access tokens are signed.
    pub signing: Signing,
    /// How mail is sent; `None` is the mailbox.
    pub mail: Option<Mail>,
    /// How texts are sent; `None` is the mailbox.
    pub texts: Option<Twilio>,
    /// The monitoring service.
    pub watchman: Option<Watchman>,
    /// Rate limits.
    pub limits: RateLimits,
    /// What texts and calls may cost.
    pub sms_quotas: SmsQuotas,
    /// Proxies that are believed about addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// `KEEP_ALIVE`.
    pub keep_alive: Duration,
    /// `SHUTDOWN_DELAY`.
    pub shutdown_delay: Duration,
    /// `MAX_CONNECTIONS`.
    pub max_connections: usize,
    /// `MAX_CONNECTIONS_PER_ADDRESS`.
    pub max_connections_per_address: usize,
    /// Password hashes.
    pub hashing: Hashing,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// New passwords.
    pub passwords: Passwords,
    /// Rules of what people type.
    pub input: InputRules,
    /// `ACCOUNT_ENUMERATION=allow`.
    pub account_enumeration_allowed: bool,
    /// `SERVICE_CLIENTS`.
    pub service_clients: Vec<ServiceClientSettings>,
    /// `TEMPLATES_DIR`.
    pub templates_dir: Option<PathBuf>,
    /// `BREACHED_PASSWORDS_FILE`.
    pub breached_passwords_file: Option<PathBuf>,
    /// `CORS_ORIGINS`.
    pub cors_origins: Vec<String>,
    /// Settings of pages and CORS.
    pub browsers: Browsers,
    /// `DEV_MAILBOX`.
    pub dev_mailbox: MailboxAccess,
    /// Logs.
    pub log: Log,
    /// What is allowed but not wise.
    pub warnings: Vec<String>,
}

impl Sources {
    /// Whether a flag, the environment or the `.env` file says that real people are served here. Each has its word: for
    /// what must not be among them none outweighs another.
    #[must_use]
    pub fn name_production(&self) -> bool {
        let places = [
            Self { flags: self.flags.clone(), ..Self::default() },
            Self { environment: self.environment.clone(), ..Self::default() },
            Self { dotenv: self.dotenv.clone(), ..Self::default() },
        ];
        places.into_iter().any(|place| {
            let named = settings_reader::SettingsReader::new(place).text("ENVIRONMENT");
            named.is_some_and(|found| found.text.trim().eq_ignore_ascii_case(Environment::Production.as_str()))
        })
    }
}

impl Settings {
    /// Reads everything. Development generates the secrets it lacks, once; production generates nothing.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(sources: Sources, fill_random: &dyn Fn(&mut [u8])) -> Result<Self, ConfigProblems> {
        let mut reader = settings_reader::SettingsReader::new(sources);
        reader.refuse_unknown();
        let settings = sections::read(&mut reader, fill_random);
        match settings {
            Some(settings) if reader.problems.is_empty() => Ok(settings),
            _ => Err(ConfigProblems(reader.problems)),
        }
    }
}

impl Settings {
    /// The limits of connections.
    #[must_use]
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            keep_alive: self.keep_alive,
            total: self.max_connections,
            per_address: self.max_connections_per_address,
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }
}
