//! Parses the settings, one function for each section.

mod appearance;
mod audit;
mod connections;
mod file_rights;
mod limits;
mod log;
mod messaging;
mod passkeys;
mod safety;
mod second_factors;
mod signing;
mod stores;
mod web;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use portcullis_core::model::realm::Realm;

use crate::config::settings_reader::{SettingsReader, duration};
use crate::config::{
    Database, Environment, Hashing, Lifetimes, Listen, LocalListener, Passwords, PublicUrl, RateLimits, SecretText,
    ServiceClientSettings, Settings, secrets, strength,
};

pub use appearance::{Appearance, Logo};
pub use audit::AuditChain;
pub use connections::ConnectionSettings;
pub use limits::{RateQuota, default_quota};
pub use messaging::{Mail, Twilio, Watchman};
pub use passkeys::{AndroidApp, PasskeySettings, is_below};
pub use stores::sqlite_path;
pub use web::{Browsers, MailboxAccess};

/// Paths of the system, which no realm may have.
const SYSTEM_PATHS: &[&str] = &[
    "health", "livez", "readyz", "metrics", "docs", "redoc", "scalar", "openapi", "problems", "assets", "dev", "demo",
    "admin", "static", "__test__",
];

/// Parses every section. A problem of one section never hides a problem of another.
pub fn read(reader: &mut SettingsReader, fill_random: &dyn Fn(&mut [u8])) -> Option<Settings> {
    let environment = environment(reader);
    let production = environment == Environment::Production;
    let database = stores::database(reader, production);
    file_rights::require_private_files(reader, environment, database.as_ref());
    let secrets_file = database.as_ref().map(|database| secrets_file(reader, database));
    let app = web::app(reader, production);
    let public_url = web::public_url(reader, &app, production);
    let secrets = secrets::read(reader, environment, secrets_file.as_deref(), fill_random);
    let input = input_rules(reader);
    let mail = messaging::mail(reader, &app, &public_url, production, input);
    let texts = messaging::twilio(reader, production);
    let watchman = messaging::watchman(reader);
    let webhooks = messaging::webhooks(reader, production);
    let realms = realms(reader);
    require_unambiguous_path(reader, &public_url, &realms);
    let guarded = guarded(reader, environment, &public_url);
    let connections = connections::connections(reader, &public_url, !guarded.trusted_proxies.is_empty());
    Some(Settings {
        environment,
        allowed_unsafe: guarded.allowed_unsafe,
        listen: listen(reader),
        public_url,
        app,
        redis: stores::redis(reader, production),
        erasure_ledger: stores::erasure_ledger(reader, database.as_ref()),
        session_cache_ttl: stores::session_cache_ttl(reader),
        signing: signing::signing(reader),
        audit_chain: audit::audit_chain(reader),
        mail,
        texts,
        watchman,
        webhooks,
        limits: guarded.limits,
        sms_quotas: limits::texts(reader),
        connections,
        trusted_proxies: guarded.trusted_proxies,
        hashing: guarded.hashing,
        lifetimes: guarded.lifetimes,
        passwords: guarded.passwords,
        input,
        account_enumeration_allowed: reader.choice("ACCOUNT_ENUMERATION", false, &[("deny", false), ("allow", true)]),
        service_clients: service_clients(reader, &realms),
        mfa_required: second_factors::required_realms(reader, &realms),
        realms,
        templates_dir: path(reader, "TEMPLATES_DIR", "is no folder that can be read", Path::is_dir),
        breached_passwords_file: path(reader, "BREACHED_PASSWORDS_FILE", "is no file that can be read", Path::is_file),
        cors_origins: web::cors_origins(reader),
        browsers: web::browsers(reader),
        passkeys: passkeys::passkeys(reader),
        dev_mailbox: web::dev_mailbox(reader),
        log: log::log(reader),
        ca_file: path(reader, "TLS_CA_FILE", "is no file with a certificate (PEM)", holds_certificate),
        validate_certificates: guarded.validate_certificates,
        given: reader.given(),
        warnings: std::mem::take(&mut reader.warnings),
        secrets: secrets?,
        secrets_file: secrets_file?,
        database: database?,
    })
}

/// Development or production. A misspelt word is refused together with everything else that production needs.
fn environment(reader: &mut SettingsReader) -> Environment {
    let words = [("development", Environment::Development), ("production", Environment::Production)];
    let fallback = if reader.is_set("ENVIRONMENT") { Environment::Production } else { Environment::Development };
    let environment = reader.choice("ENVIRONMENT", fallback, &words);
    if safety::require_explicit_environment(reader) { Environment::Production } else { environment }
}

/// Where to listen.
pub fn listen(reader: &mut SettingsReader) -> Listen {
    Listen { host: reader.text_or("HOST", "127.0.0.1"), port: reader.number("PORT", 8000, 0, u16::MAX) }
}

/// How a process of this machine asks the server.
pub fn local_listener(reader: &mut SettingsReader) -> LocalListener {
    let listen = listen(reader);
    let is_proxy = web::trusted_proxies(reader).iter().any(|net| net.contains(&listen.local_peer()));
    LocalListener {
        address: listen.local_address(),
        tls: reader.is_set("TLS_CERT_FILE"),
        proxy_header: reader.flag("PROXY_PROTOCOL", false) && is_proxy,
    }
}

/// The settings that have floors in production.
struct Guarded {
    limits: RateLimits,
    trusted_proxies: Vec<IpNet>,
    hashing: Hashing,
    lifetimes: Lifetimes,
    passwords: Passwords,
    /// For mail, MongoDB and Redis alike.
    validate_certificates: bool,
    /// The settings below their floors that `ALLOW_UNSAFE` allows.
    allowed_unsafe: Vec<&'static str>,
}

fn guarded(reader: &mut SettingsReader, environment: Environment, public_url: &PublicUrl) -> Guarded {
    let mut guarded = Guarded {
        limits: limits::limits(reader),
        trusted_proxies: web::trusted_proxies(reader),
        hashing: hashing(reader),
        lifetimes: lifetimes(reader),
        passwords: passwords(reader),
        validate_certificates: reader.flag("VALIDATE_CERTS", true),
        allowed_unsafe: Vec::new(),
    };
    guarded.allowed_unsafe = safety::require_floors(reader, environment, &guarded, public_url);
    guarded
}

/// The rules for addresses and phone numbers.
#[derive(Debug, Clone, Copy)]
pub struct InputRules {
    /// `MAIL_SMTPUTF8`: whether local parts of addresses may go beyond ASCII.
    pub smtputf8: bool,
    /// `PHONE_VALIDATION=strict`.
    pub strict_phones: bool,
}

fn input_rules(reader: &mut SettingsReader) -> InputRules {
    let phones = [("e164", false), ("lenient", false), ("strict", true)];
    InputRules {
        smtputf8: reader.flag("MAIL_SMTPUTF8", false),
        strict_phones: reader.choice("PHONE_VALIDATION", false, &phones),
    }
}

/// The file of generated secrets: in the folder of the database.
fn secrets_file(reader: &SettingsReader, database: &Database) -> PathBuf {
    let folder = match database {
        Database::Sqlite { path } => path.parent().map_or_else(|| reader.working_dir.clone(), Path::to_path_buf),
        Database::MongoDb { .. } => reader.working_dir.join("data"),
    };
    folder.join("secrets.env")
}

fn path(reader: &mut SettingsReader, name: &str, what: &str, exists: fn(&Path) -> bool) -> Option<PathBuf> {
    let found = reader.text(name)?;
    let path = reader.working_dir.join(found.text);
    if !exists(&path) {
        reader.refuse(name, &format!("{} {what}", path.display()), "set it to one that exists, or remove it");
    }
    Some(path)
}

fn holds_certificate(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"))
}

/// The parts between commas; `None` if nothing is set.
fn list(reader: &mut SettingsReader, name: &str) -> Option<Vec<String>> {
    let found = reader.text(name)?;
    Some(found.text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

fn realms(reader: &mut SettingsReader) -> Vec<String> {
    let names = list(reader, "REALMS").unwrap_or_else(|| vec!["User1".to_owned(), "User2".to_owned()]);
    if names.is_empty() {
        reader.refuse("REALMS", "names no realm", "list them as in User1,User2");
    }
    let mut seen: Vec<String> = Vec::new();
    for name in &names {
        let lower = name.to_ascii_lowercase();
        let what = if Realm::parse(name).is_err() {
            "is no name for a realm: a letter, then up to 31 letters, digits, '_' or '-'"
        } else if SYSTEM_PATHS.contains(&lower.as_str()) {
            "is a path of the system"
        } else if seen.contains(&lower) {
            "is there twice"
        } else {
            seen.push(lower);
            continue;
        };
        reader.refuse("REALMS", &format!("\"{name}\" {what}"), "choose another name");
    }
    names
}

/// Refuses a path of `PUBLIC_URL` that begins like a path of this server: a request could mean either.
fn require_unambiguous_path(reader: &mut SettingsReader, public_url: &PublicUrl, realms: &[String]) {
    let first = public_url.path().split('/').nth(1).unwrap_or_default().to_owned();
    if realms.contains(&first) || first == ".well-known" || SYSTEM_PATHS.contains(&first.as_str()) {
        let what = format!("has a path that begins with /{first}, which is a path of this server too");
        reader.refuse("PUBLIC_URL", &what, "choose another path, as in https://example.com/auth");
    }
}

fn hashing(reader: &mut SettingsReader) -> Hashing {
    let parallelism = reader.number("ARGON2_PARALLELISM", 1, 1, 16);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Hashing {
        memory_kib: reader.number("ARGON2_MEMORY_KIB", 19_456, 8 * parallelism, 1 << 22),
        iterations: reader.number("ARGON2_ITERATIONS", 2, 1, 64),
        parallelism,
        threads: reader.number("HASH_THREADS", cores, 1, 256),
        queue: reader.number("HASH_QUEUE", 64, 1, 100_000),
    }
}

fn lifetimes(reader: &mut SettingsReader) -> Lifetimes {
    let default = |text: &str| duration(text).unwrap_or_default();
    let lifetimes = Lifetimes {
        access: reader.duration("ACCESS_TOKEN_TTL", default("1800s")),
        refresh: reader.duration("REFRESH_TOKEN_TTL", default("30d")),
        refresh_max: reader.duration("REFRESH_TOKEN_MAX_TTL", default("90d")),
        verify: reader.duration("VERIFY_TOKEN_TTL", default("24h")),
        reset: reader.duration("RESET_TOKEN_TTL", default("30m")),
        otp: reader.duration("OTP_TTL", default("5m")),
    };
    if lifetimes.refresh > lifetimes.refresh_max {
        reader.refuse("REFRESH_TOKEN_TTL", "is longer than REFRESH_TOKEN_MAX_TTL", "make it shorter, or that longer");
    }
    lifetimes
}

fn passwords(reader: &mut SettingsReader) -> Passwords {
    let length = reader.choice("PASSWORD_POLICY", 8, &[("nist-mfa", 8), ("nist-single", 15)]);
    Passwords {
        min_length: reader.number("PASSWORD_MIN_LENGTH", length, 8, 256),
        min_score: reader.number("PASSWORD_MIN_SCORE", 3, 0, 4),
    }
}

fn service_clients(reader: &mut SettingsReader, realms: &[String]) -> Vec<ServiceClientSettings> {
    const NAME: &str = "SERVICE_CLIENTS";
    let mut clients: Vec<ServiceClientSettings> = Vec::new();
    for entry in list(reader, NAME).unwrap_or_default() {
        let parts = entry.split_once(':').and_then(|(id, rest)| Some((id, rest.rsplit_once('@')?)));
        let Some((id, (secret, realm))) = parts.filter(|(id, _)| !id.is_empty()) else {
            reader.refuse(NAME, "has an entry that is not id:secret@realm", "write id:secret@User1,id:secret@User2");
            continue;
        };
        let Some(realm) = realms.iter().find(|known| *known == realm).and_then(|realm| Realm::parse(realm).ok()) else {
            reader.refuse(NAME, &format!("names the realm \"{realm}\", which is not in REALMS"), "name one of REALMS");
            continue;
        };
        let client = ServiceClientSettings { id: id.to_owned(), secret: SecretText::new(secret), realm };
        if clients.iter().any(|known| known.id == client.id && known.realm == client.realm) {
            reader.refuse(NAME, "has an id twice in one realm", "give each client an id of its own");
        }
        // one client may have the same secret in several realms
        if clients.iter().all(|known| known.id != client.id || known.secret != client.secret) {
            strength::check(reader, NAME, secret, strength::SHORTEST);
            strength::claim(reader, NAME, secret);
        }
        clients.push(client);
    }
    clients
}
