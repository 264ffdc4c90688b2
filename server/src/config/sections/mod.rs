//! The sections, one function each.

mod limits;
mod post;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use portcullis_core::model::realm::Realm;

use crate::config::parse::{Reader, duration};
use crate::config::{
    App, Database, Environment, Hashing, Lifetimes, Listen, Log, LogFormat, Passwords, PublicUrl, SecretText, Settings,
    Signing, secrets,
};

pub use limits::{DEFAULT_LIMITS, RateQuota, default_quota};

/// Paths that are not realms.
const SYSTEM_PATHS: &[&str] = &[
    "health", "livez", "readyz", "metrics", "docs", "redoc", "scalar", "openapi", "problems", "assets", "dev", "demo",
    "static", "__test__",
];

/// Reads everything.
pub fn read(reader: &mut Reader, fill_random: &dyn Fn(&mut [u8])) -> Option<Settings> {
    let words = [("development", Environment::Development), ("production", Environment::Production)];
    let environment = reader.choice("ENVIRONMENT", Environment::Development, &words);
    let production = environment == Environment::Production;
    let database = database(reader)?;
    let folder = match &database {
        Database::Sqlite { path } => path.parent().map_or_else(|| reader.working_dir.clone(), Path::to_path_buf),
        Database::Mongo { .. } => reader.working_dir.join("data"),
    };
    let secrets_file = folder.join("secrets.env");
    let app = app(reader, production);
    let public_url = public_url(reader, &app, production);
    let secrets = secrets::read(reader, environment, &secrets_file, fill_random);
    let mail = post::mail(reader, &app, production);
    let texts = post::twilio(reader);
    if texts.is_some() {
        reader.warnings.push(
            "TWILIO_SID: this version sends no texts by Twilio yet; in development they are in the mailbox".to_owned(),
        );
    } else if production {
        reader.warnings.push("TWILIO_SID: no text can be sent, so phones cannot be verified".to_owned());
    }
    Some(Settings {
        environment,
        listen: Listen { host: reader.text_or("HOST", "127.0.0.1"), port: reader.number("PORT", 8000, 0, u16::MAX) },
        public_url,
        app,
        realms: realms(reader),
        database,
        redis: redis(reader),
        secrets_file,
        signing: signing(reader),
        mail,
        texts,
        limits: limits::limits(reader),
        trusted_proxies: trusted_proxies(reader),
        hashing: hashing(reader),
        lifetimes: lifetimes(reader),
        passwords: passwords(reader),
        phone_validation_strict: reader.choice("PHONE_VALIDATION", false, &[("e164", false), ("strict", true)]),
        account_enumeration_allowed: reader.choice("ACCOUNT_ENUMERATION", false, &[("deny", false), ("allow", true)]),
        service_clients: service_clients(reader),
        templates_dir: path(reader, "TEMPLATES_DIR"),
        breached_passwords_file: path(reader, "BREACHED_PASSWORDS_FILE"),
        cors_origins: cors_origins(reader),
        log: Log {
            format: reader.choice(
                "LOG_FORMAT",
                LogFormat::Text,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
            level: reader.text_or("LOG_LEVEL", "info"),
        },
        warnings: std::mem::take(&mut reader.warnings),
        secrets: secrets?,
    })
}

fn path(reader: &mut Reader, name: &str) -> Option<PathBuf> {
    let found = reader.text(name)?;
    Some(reader.working_dir.join(found.text))
}

fn list(reader: &mut Reader, name: &str) -> Vec<String> {
    let found = reader.text(name).map(|found| found.text).unwrap_or_default();
    found.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn app(reader: &mut Reader, production: bool) -> App {
    let domain = reader.text("APP_DOMAIN").map(|found| found.text);
    if production && domain.is_none() && reader.text("PUBLIC_URL").is_none() {
        reader.refuse(
            "APP_DOMAIN",
            "is not set, so that no link in an e-mail could lead anywhere",
            "set APP_DOMAIN or PUBLIC_URL",
        );
    }
    App { name: reader.text_or("APP_NAME", "Portcullis"), domain: domain.unwrap_or_else(|| "localhost".to_owned()) }
}

fn public_url(reader: &mut Reader, app: &App, production: bool) -> PublicUrl {
    let checked = |text: &str| {
        let uri: http::Uri = text.parse().map_err(|_| "is no URL".to_owned())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none();
        if web {
            Ok(text.trim_end_matches('/').to_owned())
        } else {
            Err("is no http(s) URL without a query".to_owned())
        }
    };
    let given = reader.parsed("PUBLIC_URL", "write it as in https://auth.example.com", checked);
    if production && given.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        reader.refuse("PUBLIC_URL", "is not https", "links in e-mails carry secrets: serve https");
    }
    let own = || production.then(|| format!("https://{}", app.domain));
    PublicUrl(given.or_else(own))
}

fn realms(reader: &mut Reader) -> Vec<String> {
    let given = list(reader, "REALMS");
    let names = if given.is_empty() { vec!["User1".to_owned(), "User2".to_owned()] } else { given };
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

fn database(reader: &mut Reader) -> Option<Database> {
    if let Some(url) = reader.secret("MONGO_URL") {
        return Some(Database::Mongo { url });
    }
    let mend = "write it as sqlite://data/portcullis.db";
    let of = |text: &str| {
        let path = text.strip_prefix("sqlite://").ok_or_else(|| "is of a kind that is not known".to_owned())?;
        if path.is_empty() || path.starts_with(':') { Err("names no file".to_owned()) } else { Ok(PathBuf::from(path)) }
    };
    let path = match reader.text("DATABASE_URL") {
        Some(_) => reader.parsed("DATABASE_URL", mend, of)?,
        None => PathBuf::from("data/portcullis.db"),
    };
    Some(Database::Sqlite { path: reader.working_dir.join(path) })
}

fn redis(reader: &mut Reader) -> Option<SecretText> {
    let url = reader.secret("REDIS_URL");
    let port: u16 = reader.number("REDIS_PORT", 6379, 1, u16::MAX);
    let host = reader.text("REDIS_HOST").map(|found| SecretText::new(format!("redis://{}:{port}", found.text)));
    if url.is_some() && host.is_some() {
        reader.refuse("REDIS_HOST", "REDIS_URL is set too", "keep one of the two");
    }
    let redis = url.or(host);
    if redis.is_some() {
        reader.warnings.push("REDIS_URL: this version keeps limits and queue in its own process".to_owned());
    }
    redis
}

fn signing(reader: &mut Reader) -> Signing {
    let words = [("HS256", Signing::Hs256), ("EdDSA", Signing::EdDsa)];
    let signing = reader.choice("SIGNING", Signing::Hs256, &words);
    let algorithm = reader.choice("JWT_ALGORITHM", signing, &words);
    if algorithm != signing && reader.text("SIGNING").is_some() {
        reader.refuse("JWT_ALGORITHM", "contradicts SIGNING", "keep one of the two");
    }
    algorithm
}

fn trusted_proxies(reader: &mut Reader) -> Vec<IpNet> {
    let mut nets = Vec::new();
    for text in list(reader, "TRUSTED_PROXIES") {
        match text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)) {
            Ok(net) => nets.push(net),
            Err(_) => {
                reader.refuse("TRUSTED_PROXIES", &format!("\"{text}\" is no network"), "write it as 10.0.0.0/8,::1");
            }
        }
    }
    nets
}

fn hashing(reader: &mut Reader) -> Hashing {
    let parallelism = reader.number("ARGON2_PARALLELISM", 1, 1, 16);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Hashing {
        memory_kib: reader.number("ARGON2_MEMORY_KIB", 19_456, 8 * parallelism, 1 << 20),
        iterations: reader.number("ARGON2_ITERATIONS", 2, 1, 64),
        parallelism,
        threads: reader.number("HASH_THREADS", cores, 1, 256),
        queue: reader.number("HASH_QUEUE", 64, 1, 100_000),
    }
}

fn lifetimes(reader: &mut Reader) -> Lifetimes {
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

fn passwords(reader: &mut Reader) -> Passwords {
    let length = reader.choice("PASSWORD_POLICY", 8, &[("nist-mfa", 8), ("nist-single", 15)]);
    Passwords {
        min_length: reader.number("PASSWORD_MIN_LENGTH", length, 8, 256),
        min_score: reader.number("PASSWORD_MIN_SCORE", 3, 0, 4),
    }
}

fn service_clients(reader: &mut Reader) -> Vec<(String, SecretText)> {
    let mut clients: Vec<(String, SecretText)> = Vec::new();
    for entry in list(reader, "SERVICE_CLIENTS") {
        match entry.split_once(':') {
            Some((id, secret)) if !id.is_empty() && clients.iter().all(|(known, _)| known != id) => {
                secrets::check(reader, "SERVICE_CLIENTS", secret);
                clients.push((id.to_owned(), SecretText::new(secret)));
            }
            _ => reader.refuse(
                "SERVICE_CLIENTS",
                "has an entry that is not id:secret, or an id twice",
                "write id:secret,id:secret",
            ),
        }
    }
    clients
}

fn cors_origins(reader: &mut Reader) -> Vec<String> {
    let origins = list(reader, "CORS_ORIGINS");
    for origin in &origins {
        let uri = origin.parse::<http::Uri>().ok();
        let rest = uri.as_ref().and_then(http::Uri::scheme_str).map(|scheme| format!("{scheme}://"));
        let host = rest.and_then(|prefix| origin.strip_prefix(&prefix).map(str::to_owned)).unwrap_or_default();
        if host.is_empty() || host.contains(['/', '?', '@', '*']) {
            let what = format!("\"{origin}\" is no origin");
            reader.refuse(
                "CORS_ORIGINS",
                &what,
                "list origins one by one, as in https://app.example.com, without a path",
            );
        }
    }
    origins
}
