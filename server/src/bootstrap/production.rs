//! `portcullis doctor --production`: the checklist of docs/deployment.md, point by point. A point that no program can check is
//! a task for a person, and named as one.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use sysinfo::System;

use super::check_result::CheckResult;
use crate::config::{Database, Environment, Settings};

const TIMEOUT: Duration = Duration::from_secs(5);
/// systemd-timesyncd creates it once the clock is synchronised.
const CLOCK_IS_RIGHT: &str = "/run/systemd/timesync/synchronized";
const KIB: u64 = 1024;

/// Checks every point of the list.
pub async fn check_production(settings: &Settings) -> Vec<CheckResult> {
    vec![
        environment(settings),
        tls(settings).await,
        proxies(settings),
        CheckResult::ok("3 secrets", "by hand: keep a copy of ENCRYPTION_KEY and INDEX_KEY away from the data"),
        mail(settings),
        clock(),
        alerts(settings),
        stopping(settings),
        memory(settings),
    ]
}

fn environment(settings: &Settings) -> CheckResult {
    const WHAT: &str = "0 floors";
    const EXPECTED: &str = "ENVIRONMENT=production without exceptions";
    if settings.environment != Environment::Production {
        return CheckResult::failed(WHAT, "ENVIRONMENT is development", EXPECTED, "set ENVIRONMENT=production");
    }
    if !settings.allowed_unsafe.is_empty() {
        let saw = format!("ALLOW_UNSAFE lifts the floors of {}", settings.allowed_unsafe.join(", "));
        return CheckResult::failed(WHAT, saw, EXPECTED, "raise these settings, and remove ALLOW_UNSAFE");
    }
    CheckResult::ok(WHAT, "no setting is below its floor")
}

/// Opens the published address as a client does.
async fn tls(settings: &Settings) -> CheckResult {
    const WHAT: &str = "1 tls";
    let Some(base) = settings.public_url.https() else {
        let fix = "set PUBLIC_URL to the https address that people open";
        return CheckResult::failed(WHAT, "PUBLIC_URL is not https", "an https address", fix);
    };
    let url = format!("{}/livez", base.trim_end_matches('/'));
    let expected = "the server, with a certificate that is valid for this host";
    let fix = "start the server and the proxy, and correct PUBLIC_URL or the certificate; ask again where clients are, if \
               this machine can't reach it";
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let answer = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => Err(error),
    };
    let saw = match answer {
        Ok(answer) if answer.status() == 200 => match answer.text().await.as_deref() {
            Ok("ok\n") => return CheckResult::ok(WHAT, format!("{url} answers, and its certificate is valid")),
            _ => format!("{url} answers, and is no Portcullis"),
        },
        Ok(answer) => format!("{url} answers {}", answer.status()),
        Err(error) => format!("{url} does not answer: {}", innermost(&error)),
    };
    CheckResult::failed(WHAT, saw, expected, fix)
}

/// The first cause of an error.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn proxies(settings: &Settings) -> CheckResult {
    const WHAT: &str = "2 proxies";
    const EXPECTED: &str = "the addresses that proxies connect from, and nothing else";
    let nets = &settings.trusted_proxies;
    if nets.is_empty() && settings.connections.tls.is_none() {
        let saw = "TRUSTED_PROXIES lists no proxy, and the server has no TLS of its own";
        let fix = "list the address of the proxy in TRUSTED_PROXIES, or set TLS_CERT_FILE and TLS_KEY_FILE";
        return CheckResult::failed(WHAT, saw, EXPECTED, fix);
    }
    let is_wide = |net: &&IpNet| match net {
        IpNet::V4(net) => net.prefix_len() < 16,
        IpNet::V6(net) => net.prefix_len() < 48,
    };
    if let Some(wide) = nets.iter().find(is_wide) {
        let saw =
            format!("TRUSTED_PROXIES has {wide}: each client in it chooses the address that its limits count for");
        return CheckResult::failed(WHAT, saw, EXPECTED, "list the addresses of the proxies alone");
    }
    let listed: Vec<String> = nets.iter().map(ToString::to_string).collect();
    let listed = if listed.is_empty() { "none: the server has TLS of its own".to_owned() } else { listed.join(", ") };
    CheckResult::ok(WHAT, format!("{listed}; by hand: each replaces X-Forwarded-For or appends to it"))
}

fn mail(settings: &Settings) -> CheckResult {
    const WHAT: &str = "4 mail";
    let Some(mail) = &settings.mail else {
        return CheckResult::failed(WHAT, "MAIL_SERVER is not set", "a mail server", "set MAIL_SERVER and MAIL_FROM");
    };
    let domain = mail.from.rsplit_once('@').map_or(mail.from.as_str(), |(_, domain)| domain);
    CheckResult::ok(WHAT, format!("by hand: {domain} has SPF and DKIM records for {}", mail.host))
}

fn clock() -> CheckResult {
    let saw = if Path::new(CLOCK_IS_RIGHT).exists() {
        "systemd-timesyncd has synchronised it"
    } else {
        "by hand: timedatectl or chronyc tracking says that it is synchronised"
    };
    CheckResult::ok("5 clock", saw)
}

fn alerts(settings: &Settings) -> CheckResult {
    const WHAT: &str = "6 alerts";
    if settings.secrets.operator_token.is_none() {
        let saw = "OPERATOR_TOKEN is not set: Prometheus can't read /metrics";
        return CheckResult::failed(
            WHAT,
            saw,
            "a token for Prometheus",
            "set OPERATOR_TOKEN: portcullis keys generate",
        );
    }
    CheckResult::ok(WHAT, "by hand: Prometheus has OPERATOR_TOKEN and deploy/observability/alerts.yaml")
}

fn stopping(settings: &Settings) -> CheckResult {
    const WHAT: &str = "7 stopping";
    match (&settings.database, settings.connections.shutdown_delay) {
        (Database::Sqlite { .. }, _) => CheckResult::ok(WHAT, "one instance: a restart is a pause of a second"),
        (Database::MongoDb { .. }, delay) if delay.is_zero() => CheckResult::failed(
            WHAT,
            "SHUTDOWN_DELAY is 0s: requests fail while an instance is replaced",
            "a delay in which the balancer notices",
            "set SHUTDOWN_DELAY=5s, or twice the interval of the balancer's health checks",
        ),
        (Database::MongoDb { .. }, delay) => CheckResult::ok(
            WHAT,
            format!("an instance that stops is not ready for {} s before it does", delay.as_secs()),
        ),
    }
}

/// The memory that docs/performance.md computes, and a quarter more, in MiB.
fn needed_mib(settings: &Settings) -> u64 {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let hashes = wide(settings.hashing.threads).saturating_mul(u64::from(settings.hashing.memory_kib));
    let connections = wide(settings.connections.total).saturating_mul(20);
    let kib = (40 * KIB).saturating_add(hashes).saturating_add(connections);
    (kib.saturating_add(kib / 4)).div_ceil(KIB)
}

fn memory(settings: &Settings) -> CheckResult {
    const WHAT: &str = "8 memory";
    let needed = needed_mib(settings);
    let Ok(mut system) = System::new() else {
        return CheckResult::ok(WHAT, format!("by hand: the server may use {needed} MiB"));
    };
    system.refresh_memory();
    let machine = system.total_memory();
    let limit = system.cgroup_limits().map_or(machine, |limits| limits.total_memory.min(machine)) / KIB / KIB;
    if limit < needed {
        return CheckResult::failed(
            WHAT,
            format!("this machine or container has {limit} MiB"),
            &format!(
                "{needed} MiB: 40 MiB + HASH_THREADS × ARGON2_MEMORY_KIB + MAX_CONNECTIONS × 20 KiB, and a quarter"
            ),
            "give it more, or lower MAX_CONNECTIONS or HASH_THREADS",
        );
    }
    CheckResult::ok(WHAT, format!("{limit} MiB here, and the server needs {needed} MiB at most"))
}
