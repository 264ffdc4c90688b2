//! The client of the operator's settings, and a check that the server answers.

use std::time::Duration;

use redis::{Client, RedisError, TlsCertificates};

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

/// Why Redis does not answer, without an address or a password.
pub(super) fn reason(error: &RedisError) -> String {
    let told = error.to_string();
    match told.find("invalid peer certificate") {
        Some(from) => format!("its certificate is not trusted: {}", told.get(from..).unwrap_or_default()),
        None => error.category().to_owned(),
    }
}

/// Connects once. Returns the server's version.
///
/// # Errors
/// Why it cannot be used. Contains no password.
pub async fn check_reachable(settings: &RedisSettings) -> Result<String, String> {
    let client = client(settings)?;
    let asked = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await
    };
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(told)) => {
            let version =
                told.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("of some version");
            Ok(version.trim().to_owned())
        }
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}
