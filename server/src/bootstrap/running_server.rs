//! The check of the server that runs on these settings: what it noticed, asked of its detailed health report.

use std::time::Duration;

use serde_json::Value;

use super::check_result::CheckResult;
use crate::config::Settings;

const WHAT: &str = "server";
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server, if one runs. A server that does not run is no fault: it may be about to start.
pub async fn check_running_server(settings: &Settings) -> CheckResult {
    let Some(token) = &settings.secrets.operator_token else {
        return CheckResult::ok(WHAT, "not asked: OPERATOR_TOKEN is not set");
    };
    if settings.connections.proxy_protocol && settings.connection_limits().is_proxy(settings.listen.local_peer()) {
        let saw = "not asked: TRUSTED_PROXIES lists this machine, whose connections begin with a PROXY header";
        return CheckResult::ok(WHAT, saw);
    }
    let address = settings.listen.local_address();
    let scheme = if settings.connections.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/health/detailed");
    let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).timeout(TIMEOUT).build();
    let Ok(client) = client else { return CheckResult::ok(WHAT, "not asked: no TLS on this machine") };
    match client.get(&url).bearer_auth(token.expose()).send().await {
        Err(error) if error.is_connect() => CheckResult::ok(WHAT, format!("none runs at {address}")),
        Err(_) => CheckResult::failed(
            WHAT,
            format!("{url} does not answer within {TIMEOUT:?}"),
            "a server that answers, or none",
            "look at its log, or correct HOST and PORT",
        ),
        Ok(answer) if answer.status() == 401 => CheckResult::failed(
            WHAT,
            format!("{url} refuses OPERATOR_TOKEN"),
            "a server with these settings",
            "restart it, or correct HOST and PORT",
        ),
        Ok(answer) => match answer.json::<Value>().await {
            Ok(health) => judge(&health),
            Err(_) => CheckResult::failed(
                WHAT,
                format!("{url} answers, and is no Portcullis"),
                "a server of these settings, or none",
                "correct HOST and PORT",
            ),
        },
    }
}

fn judge(health: &Value) -> CheckResult {
    let text = |pointer| health.pointer(pointer).and_then(Value::as_str);
    let status = text("/status").unwrap_or("unknown");
    let Some(peer) = text("/details/unlisted_proxies/peer") else {
        return CheckResult::ok(WHAT, format!("runs, and is {status}"));
    };
    let requests = health.pointer("/details/unlisted_proxies/requests").and_then(Value::as_u64).unwrap_or_default();
    let saw =
        format!("{requests} requests had X-Forwarded-For or Forwarded from {peer}, which is not in TRUSTED_PROXIES");
    if health.pointer("/details/unlisted_proxies/private") == Some(&Value::Bool(true)) {
        return CheckResult::failed(
            WHAT,
            saw,
            "every proxy in TRUSTED_PROXIES; without it all its clients share one address in the rate limits",
            format!("add {peer} to TRUSTED_PROXIES, and restart the server"),
        );
    }
    CheckResult::ok(WHAT, format!("warning: {saw}: a proxy that is missing there, or a client that invents the header"))
}
