//! The client of the operator's settings, and a check that the server answers.

use std::time::Duration;

use redis::{Client, ConnectionAddr, ErrorKind, RedisError, TlsCertificates};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::network_failure::{Diagnosis, NetworkFailure};
use crate::redis::RedisSettings;

/// How long the check may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The client of the settings.
pub(super) fn client(settings: &RedisSettings) -> Result<Client, String> {
    let unreadable = |error: RedisError| format!("the address cannot be read ({})", error.category());
    let encrypted = settings.url.expose().starts_with("rediss://");
    let mut url = settings.url.expose().to_owned();
    if encrypted && !settings.validate_certificates && !url.contains('#') {
        url.push_str("#insecure");
    }
    match &settings.ca_file {
        Some(file) if encrypted => {
            let root_cert = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let trusted = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
            Client::build_with_tls(url, trusted).map_err(unreadable)
        }
        _ => Client::open(url).map_err(unreadable),
    }
}

/// Why Redis can't be used, without an address or a password.
pub(super) fn diagnosis(error: &RedisError) -> Diagnosis {
    let text = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let no_such_database = has(&["switch database", "DB index", "out of range"]);
    match error.code() {
        Some("NOAUTH") => Diagnosis::new("it asks for a password", "write it as rediss://user:password@host:6379"),
        Some("WRONGPASS") => refused_password(),
        _ if error.kind() == ErrorKind::AuthenticationFailed && !no_such_database => refused_password(),
        _ if has(&["NOAUTH"]) => {
            Diagnosis::new("it asks for a password", "write it as rediss://user:password@host:6379")
        }
        _ if no_such_database => Diagnosis::new(
            "it has no database of that number",
            "correct the number at the end of REDIS_URL; 0 is always there",
        ),
        Some("NOPERM") => Diagnosis::new(
            "the user may not run these commands (NOPERM)",
            "give the user the commands and keys of ACL +@all ~portcullis:*",
        ),
        Some("READONLY") => Diagnosis::new("it is a replica, which takes no writes", "name the primary in REDIS_URL"),
        Some("OOM") => Diagnosis::new("its memory is full", "raise maxmemory, or set maxmemory-policy"),
        Some("MISCONF") => Diagnosis::new("it can't write to its disk", "see Redis's own log"),
        Some("LOADING") => Diagnosis::new("it still loads its data", "wait"),
        Some(code) => Diagnosis::new(format!("it answers with {code}"), "see Redis's own log"),
        None => NetworkFailure::of(error).unwrap_or(NetworkFailure::Closed).into(),
    }
}

fn refused_password() -> Diagnosis {
    let fix = "correct the user name and password in REDIS_URL: rediss://user:password@host:6379";
    Diagnosis::new("it refuses the user name or password", fix)
}

/// Connects once. Returns the server's version.
///
/// # Errors
/// Why it cannot be used. Contains no password.
pub async fn check_reachable(settings: &RedisSettings) -> Result<String, Diagnosis> {
    let client =
        client(settings).map_err(|cause| Diagnosis::new(cause, "write it as rediss://user:password@host:6379"))?;
    let asked = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await
    };
    let no_answer = Diagnosis::from(NetworkFailure::NoAnswer);
    let found = match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(told)) => {
            let version =
                told.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("of some version");
            return Ok(version.trim().to_owned());
        }
        Ok(Err(error)) => diagnosis(&error),
        Err(_) => no_answer.clone(),
    };
    Err(if found == no_answer && speaks_plainly(&client).await { NetworkFailure::NotTls.into() } else { found })
}

/// Whether a server that does not answer a TLS handshake answers a plain PING: a Redis without TLS waits for the end of a line.
async fn speaks_plainly(client: &Client) -> bool {
    let ConnectionAddr::TcpTls { host, port, .. } = client.get_connection_info().addr() else { return false };
    let asked = async {
        let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.write_all(b"PING\r\n").await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(TIMEOUT, asked).await, Ok(Ok(b'+' | b'-')))
}
