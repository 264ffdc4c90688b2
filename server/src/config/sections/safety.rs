//! Safe defaults: development must be chosen explicitly if something looks like production, and production has floors.

use std::net::IpAddr;
use std::time::Duration;

use super::{Guarded, list};
use crate::config::settings_reader::SettingsReader;
use crate::config::{Environment, PublicUrl};

const DAY: Duration = Duration::from_secs(86_400);
/// The weakest Argon2 parameters of OWASP's password storage cheat sheet: memory in KiB, passes.
const ARGON2_FLOORS: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
const SECRETS: [&str; 5] = ["JWT_SECRET", "ENCRYPTION_KEY", "INDEX_KEY", "OPERATOR_TOKEN", "SERVICE_CLIENTS"];

/// Refuses a start without `ENVIRONMENT` if something looks like production: development shows everyone's links in its
/// mailbox. Returns whether it refused.
pub fn require_explicit_environment(reader: &mut SettingsReader) -> bool {
    if reader.is_set("ENVIRONMENT") {
        return false;
    }
    let mut signs: Vec<&str> = SECRETS.into_iter().filter(|name| reader.is_set(name)).collect();
    let is_elsewhere = |reader: &mut SettingsReader, name: &str, host_of: fn(&str) -> &str| {
        reader.text(name).is_some_and(|found| !is_loopback(host_of(found.text.trim())))
    };
    signs.extend(
        ["HOST", "APP_DOMAIN", "MAIL_SERVER"].into_iter().filter(|name| is_elsewhere(reader, name, |host| host)),
    );
    signs.extend(
        ["PUBLIC_URL", "MONGO_URL", "DATABASE_URL"].into_iter().filter(|name| is_elsewhere(reader, name, host_of_url)),
    );
    signs.extend(reader.is_set("TRUSTED_PROXIES").then_some("TRUSTED_PROXIES"));
    let real_sms = reader.is_set("TWILIO_SID") && !reader.is_set("TWILIO_BASE_URL");
    signs.extend(real_sms.then_some("TWILIO_SID"));
    if !signs.is_empty() {
        reader.refuse(
            "ENVIRONMENT",
            &format!("is not set, and {} looks like production", signs.join(", ")),
            "set ENVIRONMENT=production, which needs everything in this list, or ENVIRONMENT=development if everyone may read \
             the mailbox at /dev/mailbox",
        );
    }
    !signs.is_empty()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host.is_empty()
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The host of a URL that is not this machine, or its first one; empty for a file. MongoDB's URLs have several.
fn host_of_url(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") else { return "" };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let mut hosts = hosts.split(',').map(without_port);
    let first = hosts.next().unwrap_or_default();
    if is_loopback(first) { hosts.find(|host| !is_loopback(host)).unwrap_or(first) } else { first }
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

/// Refuses values below production's floors, all of them at once. `ALLOW_UNSAFE` lifts the floors that it names; these
/// are returned.
pub fn require_floors(
    reader: &mut SettingsReader,
    environment: Environment,
    guarded: &Guarded,
    public_url: &PublicUrl,
) -> Vec<&'static str> {
    let production = environment == Environment::Production;
    let allowed = list(reader, "ALLOW_UNSAFE").unwrap_or_default();
    if production && !reader.is_set("TRUSTED_PROXIES") {
        reader.refuse(
            "TRUSTED_PROXIES",
            "is not set, so that the address of every client could be the proxy's",
            "list the proxies in front of this server as in 10.0.0.0/8, or set it to none",
        );
    }
    let below = if production { below_the_floors(guarded, public_url) } else { Vec::new() };
    let mut lifted = Vec::new();
    for (name, what, fix) in &below {
        if allowed.iter().any(|allowed| allowed == name) {
            lifted.push(*name);
            reader.warnings.push(format!("{name} {what}: allowed by ALLOW_UNSAFE"));
        } else {
            reader.refuse(name, what, &format!("{fix}, or name it in ALLOW_UNSAFE"));
        }
    }
    for name in allowed.iter().filter(|allowed| below.iter().all(|(name, ..)| name != allowed)) {
        reader.refuse("ALLOW_UNSAFE", &format!("names {name}, which is not below a floor"), "remove it");
    }
    lifted
}

fn below_the_floors(guarded: &Guarded, public_url: &PublicUrl) -> Vec<(&'static str, &'static str, &'static str)> {
    let Guarded { hashing, lifetimes, .. } = guarded;
    let strong = |(memory, passes): &(u32, u32)| hashing.memory_kib >= *memory && hashing.iterations >= *passes;
    let everything = guarded.trusted_proxies.iter().any(|net| net.prefix_len() == 0);
    let plain_http = public_url.0.is_some() && !public_url.is_https();
    [
        (!guarded.limits.enabled, "RATE_LIMITS", "is off", "switch it on"),
        (everything, "TRUSTED_PROXIES", "trusts every address", "list the proxies alone"),
        (
            !ARGON2_FLOORS.iter().any(strong),
            "ARGON2_MEMORY_KIB",
            "makes hashes that are cheap to guess",
            "use 19456 KiB and 2 passes at least",
        ),
        (lifetimes.access > DAY, "ACCESS_TOKEN_TTL", "is longer than a day", "make it shorter"),
        (lifetimes.reset > DAY, "RESET_TOKEN_TTL", "is longer than a day", "make it shorter"),
        (lifetimes.refresh_max > DAY * 365, "REFRESH_TOKEN_MAX_TTL", "is longer than a year", "make it shorter"),
        (lifetimes.otp > Duration::from_secs(600), "OTP_TTL", "is longer than ten minutes", "make it shorter"),
        (guarded.passwords.min_score < 2, "PASSWORD_MIN_SCORE", "lets easy passwords pass", "use 2 at least"),
        (!guarded.validate_certificates, "VALIDATE_CERTS", "is off", "name your authority in TLS_CA_FILE"),
        (plain_http, "PUBLIC_URL", "is not https, and links in e-mails carry secrets", "serve https"),
    ]
    .into_iter()
    .filter_map(|(below, name, what, fix)| below.then_some((name, what, fix)))
    .collect()
}
