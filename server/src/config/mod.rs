//! Configuration: the one place that reads the environment. Flags over environment over `.env` over defaults, parsed
//! once into typed sections. A refusal lists every problem at once, each with its setting, its origin and the fix.

mod accent;
mod dev_secrets;
mod dotenv;
pub mod keys;
mod listen;
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

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_adapters::crypto::signing_keys::{KeyKind, PrivateKey};
use portcullis_adapters::webhooks::sender::WebhookSettings;
use portcullis_core::model::realm::Realm;
use portcullis_core::policy::SmsQuotas;

use crate::connections::{ConnectionLimits, SHARED_MEMORY};

pub use listen::{Listen, LocalListener};
pub use portcullis_core::model::secret::SecretString as SecretText;
pub use problems::{ConfigProblem, ConfigProblems};
pub use secrets::{KeyRing, Secrets, decode as audit_key};
pub use sections::{
    AndroidApp, Appearance, AuditChain, Browsers, ConnectionSettings, InputRules, Logo, Mail, MailboxAccess,
    PasskeySettings, RateQuota, Twilio, Watchman, is_below,
};
pub use settings_reference::{ENV_MARK, flags, markdown, text};
pub use settings_registry::DEFAULT_LIMITS;
pub use sources::Sources;

/// The kind of deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// No setting is required.
    Development,
    /// Secrets, mail server, proxies and domain are required, and floors hold.
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

/// The settings of the listener alone, for a command that must work without the secrets.
///
/// # Errors
/// The settings that can't be used.
pub fn local_listener(sources: Sources) -> Result<LocalListener, ConfigProblems> {
    let mut reader = settings_reader::SettingsReader::new(sources);
    let listener = sections::local_listener(&mut reader);
    if reader.problems.is_empty() { Ok(listener) } else { Err(ConfigProblems(reader.problems)) }
}

/// The base of the links in e-mails.
#[derive(Debug, Clone)]
pub struct PublicUrl(Option<String>);

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl PublicUrl {
    /// The base; in development, where nothing is set, the address the server listens on.
    #[must_use]
    pub fn for_listener(&self, address: SocketAddr) -> String {
        // a browser can't open 0.0.0.0, which a container listens on
        let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { bracketed(address.ip()) };
        self.0.clone().unwrap_or_else(|| format!("http://{host}:{}", address.port()))
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
        self.https().is_some()
    }

    /// The base, if it is https.
    #[must_use]
    pub fn https(&self) -> Option<&str> {
        self.0.as_deref().filter(|url| url.starts_with("https://"))
    }
}

/// Names of the application.
#[derive(Debug, Clone)]
pub struct App {
    /// `APP_NAME`.
    pub name: String,
    /// `APP_DOMAIN`.
    pub domain: String,
}

/// The database of the accounts.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file.
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
    /// Its name in reports, without user and password.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// HS256 with the secret.
    Secret,
    /// With a key pair derived from the secret.
    Derived(KeyKind),
    /// With the private keys of `SIGNING_KEY_FILE`, by their ids; the first one signs.
    Keys(KeyKind, Vec<(u32, PrivateKey)>),
}

/// The rate limits.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// `RATE_LIMITS`.
    pub enabled: bool,
    /// The limits that differ from the defaults.
    pub changed: Vec<(&'static str, RateQuota)>,
}

impl RateLimits {
    /// The quota of a limit; an unknown name has the default quota.
    #[must_use]
    pub fn get(&self, row: &str) -> RateQuota {
        let changed = self.changed.iter().find(|(name, _)| *name == row).map(|(_, quota)| *quota);
        changed.unwrap_or_else(|| sections::default_quota(row))
    }
}

/// The cost of a password hash, and how many run at once.
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

/// Lifetimes of tokens, links and codes.
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

/// The rules for new passwords.
#[derive(Debug, Clone, Copy)]
pub struct Passwords {
    /// The least number of characters.
    pub min_length: usize,
    /// The least zxcvbn score.
    pub min_score: u8,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, for people.
    Text,
    /// JSON, for programs.
    Json,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct Log {
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_LEVEL`: a filter as `tracing` reads it.
    pub level: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector of traces.
    pub collector: Option<String>,
}

/// A service client: it may introspect the tokens of a realm.
#[derive(Debug, Clone)]
pub struct ServiceClientSettings {
    /// The user name of its HTTP Basic credentials.
    pub id: String,
    /// The password.
    pub secret: SecretText,
    /// The realm.
    pub realm: Realm,
}

/// All settings of a server, parsed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The kind of deployment.
    pub environment: Environment,
    /// The settings below production's floors that `ALLOW_UNSAFE` allows.
    pub allowed_unsafe: Vec<&'static str>,
    /// The address to listen on.
    pub listen: Listen,
    /// The base of links.
    pub public_url: PublicUrl,
    /// Names of the application.
    pub app: App,
    /// The realms.
    pub realms: Vec<String>,
    /// The database.
    pub database: Database,
    /// `ERASURE_LEDGER`: the file with a keyed digest of each deleted account.
    pub erasure_ledger: Option<PathBuf>,
    /// `SESSION_CACHE_TTL`.
    pub session_cache_ttl: Duration,
    /// `REDIS_URL` or `REDIS_HOST` and `REDIS_PORT`.
    pub redis: Option<SecretText>,
    /// `VALIDATE_CERTS`: whether certificates of servers are checked.
    pub validate_certificates: bool,
    /// `TLS_CA_FILE`: the certificates of a private authority that signs them.
    pub ca_file: Option<PathBuf>,
    /// The secrets.
    pub secrets: Secrets,
    /// The file of the secrets that development generates.
    pub secrets_file: PathBuf,
    /// How access tokens are signed.
    pub signing: Signing,
    /// The tamper-evident audit log, where it is on.
    pub audit_chain: Option<AuditChain>,
    /// The SMTP server; `None`: e-mails stay in the development mailbox.
    pub mail: Option<Mail>,
    /// The SMS provider; `None`: SMS stay in the development mailbox.
    pub texts: Option<Twilio>,
    /// Watchman, which audit events are exported to.
    pub watchman: Option<Watchman>,
    /// Where messages to webhooks may go.
    pub webhooks: WebhookSettings,
    /// Rate limits.
    pub limits: RateLimits,
    /// The quotas of SMS and calls.
    pub sms_quotas: SmsQuotas,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections.
    pub connections: ConnectionSettings,
    /// Password hashes.
    pub hashing: Hashing,
    /// Lifetimes of tokens, links and codes.
    pub lifetimes: Lifetimes,
    /// The rules for new passwords.
    pub passwords: Passwords,
    /// The rules for addresses and phone numbers.
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
    /// Passkeys.
    pub passkeys: PasskeySettings,
    /// The realms of `MFA_POLICY` whose accounts must have a second factor.
    pub mfa_required: BTreeSet<Realm>,
    /// `DEV_MAILBOX`.
    pub dev_mailbox: MailboxAccess,
    /// Logs.
    pub log: Log,
    /// Risks that the settings allow. A start logs them.
    pub warnings: Vec<String>,
    /// The settings that were given, by their names, secrets as the text that their files have.
    pub given: Vec<(&'static str, SecretText)>,
}

impl Sources {
    /// Whether a flag, the environment or the `.env` file says `ENVIRONMENT=production`. The order of precedence does not
    /// count here: a test kit must not run beside any of them.
    #[must_use]
    pub fn any_names_production(&self) -> bool {
        let origins = [
            Self { flags: self.flags.clone(), ..Self::default() },
            Self { environment: self.environment.clone(), ..Self::default() },
            Self { dotenv: self.dotenv.clone(), ..Self::default() },
        ];
        origins.into_iter().any(|origin| {
            let named = settings_reader::SettingsReader::new(origin).text("ENVIRONMENT");
            named.is_some_and(|found| found.text.trim().eq_ignore_ascii_case(Environment::Production.as_str()))
        })
    }
}

impl Settings {
    /// Parses the settings. Development generates missing secrets, once; production generates nothing.
    ///
    /// # Errors
    /// Every problem of the settings.
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
            keep_alive: self.connections.keep_alive,
            total: self.connections.total,
            per_address: self.connections.per_address,
            trusted_proxies: self.trusted_proxies.clone(),
            shared_memory: SHARED_MEMORY,
        }
    }
}
