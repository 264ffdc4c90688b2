//! Settings of SQLite, MongoDB and Redis.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::settings_reader::SettingsReader;
use crate::config::{Database, SecretText};

pub fn database(reader: &mut SettingsReader, production: bool) -> Option<Database> {
    if let Some(url) = reader.secret("MONGO_URL") {
        let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
        if !matches!(scheme, Some("mongodb" | "mongodb+srv")) {
            reader.refuse("MONGO_URL", "is no MongoDB URL", "write it as mongodb://user:password@host:27017");
        }
        let encrypted =
            scheme == Some("mongodb+srv") || ["tls=true", "ssl=true"].iter().any(|t| url.expose().contains(t));
        if production && !encrypted {
            reader.warnings.push("MONGO_URL: the connection is not encrypted; tls=true would change that".to_owned());
        }
        let name = reader.text("MONGO_DB").map(|found| found.text);
        let name = name.or_else(|| database_of_url(url.expose())).unwrap_or_else(|| "portcullis".to_owned());
        return Some(Database::MongoDb { url, name });
    }
    let fix = "write it as sqlite://data/portcullis.db";
    let path = match reader.text("DATABASE_URL") {
        Some(_) => reader.parsed("DATABASE_URL", fix, sqlite_path)?,
        None => PathBuf::from("data/portcullis.db"),
    };
    Some(Database::Sqlite { path: reader.working_dir.join(path) })
}

/// The database in the path of `mongodb://host/accounts`. `admin` is where users live, and no database of ours.
fn database_of_url(url: &str) -> Option<String> {
    // a password has no plain slash, a list of hosts has no other one
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    let name = path.split('?').next().filter(|name| !name.is_empty() && *name != "admin")?;
    Some(name.to_owned())
}

/// The file of `sqlite://data/portcullis.db`.
pub fn sqlite_path(url: &str) -> Result<PathBuf, String> {
    let path = url.strip_prefix("sqlite://").ok_or_else(|| "is of a kind that is not known".to_owned())?;
    if path.is_empty() || path.starts_with(':') || path.ends_with('/') {
        return Err("names no file".to_owned());
    }
    Ok(PathBuf::from(path))
}

/// The file of the erasure ledger. It helps only where it survives the database.
pub fn erasure_ledger(reader: &mut SettingsReader, database: Option<&Database>) -> Option<PathBuf> {
    let found = reader.text("ERASURE_LEDGER")?;
    let path = reader.working_dir.join(found.text);
    if let Some(Database::Sqlite { path: database }) = database
        && database.parent() == path.parent()
    {
        let warning =
            "ERASURE_LEDGER: the file is beside the database, and is lost with it; another disk would change that";
        reader.warnings.push(warning.to_owned());
    }
    Some(path)
}

/// The most that `SESSION_CACHE_TTL` may be.
const LONGEST_CACHE_TTL: Duration = Duration::from_secs(30);

pub fn session_cache_ttl(reader: &mut SettingsReader) -> Duration {
    let ttl = reader.duration_or_zero("SESSION_CACHE_TTL", Duration::from_secs(5));
    if ttl > LONGEST_CACHE_TTL {
        reader.refuse("SESSION_CACHE_TTL", "is over 30s", "choose 30s or less; 0s switches the cache off");
    }
    ttl
}

pub fn redis(reader: &mut SettingsReader, production: bool) -> Option<SecretText> {
    let url = reader.secret("REDIS_URL");
    let host = reader.text("REDIS_HOST").map(|found| found.text);
    if url.is_some() && host.is_some() {
        reader.refuse("REDIS_HOST", "REDIS_URL is set too", "keep one of the two");
    }
    // without a host the port means nothing, and orchestrators set one of this name for a service called redis
    let of_host = host.map(|host| {
        let port: u16 = reader.number("REDIS_PORT", 6379, 1, u16::MAX);
        SecretText::new(format!("redis://{host}:{port}"))
    });
    let redis = url.or(of_host)?;
    let scheme = redis.expose().split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("redis" | "rediss")) {
        reader.refuse("REDIS_URL", "is no Redis URL", "write it as rediss://user:password@host:6379");
    }
    if production && scheme == Some("redis") {
        reader.warnings.push("REDIS_URL: the connection is not encrypted; rediss:// would change that".to_owned());
    }
    Some(redis)
}
