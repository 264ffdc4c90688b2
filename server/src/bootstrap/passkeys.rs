//! The RP ID and the origins of passkeys, and the check that the passkeys of a database belong to that RP ID.

use std::net::SocketAddr;

use portcullis_adapters::crypto::passkey_verifier::WebauthnVerifier;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::UserStore;

use crate::config::{AndroidApp, Settings, is_below};
use crate::http::app::origin_of;

/// The name of the check value.
const RP_ID: &str = "passkey_rp_id";

/// The domain that passkeys belong to. An address can't be one.
fn rp_id(settings: &Settings) -> String {
    let of_url = || host_name(settings).unwrap_or_else(|| "localhost".to_owned());
    settings.passkeys.rp_id.clone().unwrap_or_else(of_url)
}

/// The host of `PUBLIC_URL`, where that is a name and not an address.
fn host_name(settings: &Settings) -> Option<String> {
    // without PUBLIC_URL the port does not matter here
    let url = settings.public_url.for_listener(SocketAddr::from(([127, 0, 0, 1], 0)));
    reqwest::Url::parse(&url).ok()?.domain().map(str::to_owned)
}

/// The origins of pages and apps; those of the RP ID and of hosts below it first.
fn origins(settings: &Settings, public_url: &str) -> Vec<String> {
    let rp_id = rp_id(settings);
    let mut origins = settings.passkeys.origins.clone();
    if origins.is_empty() {
        let own = origin_of(public_url);
        origins.extend(own.and_then(|origin| origin.to_str().map(str::to_owned).ok()));
        let port = reqwest::Url::parse(public_url).ok().and_then(|url| url.port());
        if rp_id == "localhost" && host_name(settings).is_none() {
            origins.push(port.map_or_else(|| "http://localhost".to_owned(), |port| format!("http://localhost:{port}")));
        }
    }
    origins.extend(settings.passkeys.android_apps.iter().map(AndroidApp::origin));
    origins.sort_by_key(|origin| !is_below(origin, &rp_id));
    origins
}

/// The origins of pages.
pub fn web_origins(settings: &Settings, public_url: &str) -> Vec<String> {
    let origins = origins(settings, public_url).into_iter();
    origins.filter(|origin| origin.contains("://")).collect()
}

/// The verifier of passkeys.
///
/// # Errors
/// If no origin is of the RP ID, with the fix.
pub fn verifier(settings: &Settings, public_url: &str) -> Result<WebauthnVerifier, String> {
    let (rp_id, origins) = (rp_id(settings), origins(settings, public_url));
    WebauthnVerifier::new(&rp_id, &settings.app.name, &origins).map_err(|_| {
        format!(
            "PASSKEY_RP_ID: no page of this server is of {rp_id} or of a host below it. Fix: set PASSKEY_RP_ID to the \
             host of PUBLIC_URL or a parent of it, or list the origins of your pages in PASSKEY_ORIGINS."
        )
    })
}

/// Verifies that the passkeys of a database belong to the RP ID of the settings. A database without passkeys takes any.
///
/// # Errors
/// If they belong to another one, with the fix.
pub async fn check_rp_id<S: CheckValueStore + UserStore>(store: &S, settings: &Settings) -> Result<(), String> {
    let ours = rp_id(settings);
    let failed = |error: PortError| format!("PASSKEY_RP_ID: {}", error.with_cause());
    loop {
        let stored = store.check_value_or_insert(RP_ID, ours.as_bytes()).await.map_err(failed)?;
        if stored == ours.as_bytes() {
            return Ok(());
        }
        if store.has_passkeys().await.map_err(failed)? {
            let stored = String::from_utf8_lossy(&stored);
            return Err(format!(
                "PASSKEY_RP_ID: it is {ours} now, and accounts have passkeys of {stored}, which would all be lost. Fix: set \
                 PASSKEY_RP_ID={stored}, and where pages moved to another host, list their origins in PASSKEY_ORIGINS."
            ));
        }
        if store.replace_check_value(RP_ID, &stored, ours.as_bytes()).await.map_err(failed)? {
            return Ok(());
        }
    }
}
