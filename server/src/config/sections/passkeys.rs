//! Settings of passkeys.

use super::{list, web};
use crate::config::settings_reader::SettingsReader;

/// Settings of passkeys.
#[derive(Debug, Clone)]
pub struct PasskeySettings {
    /// `PASSKEY_RP_ID`.
    pub rp_id: Option<String>,
    /// `PASSKEY_ORIGINS`.
    pub origins: Vec<String>,
}

pub fn passkeys(reader: &mut SettingsReader) -> PasskeySettings {
    let rp_id = reader.parsed("PASSKEY_RP_ID", "write it as example.com, without https:// and port", domain);
    let fix = "list origins one by one, as in https://app.example.com or android:apk-key-hash:…, without a path";
    let mut origins = Vec::new();
    for text in list(reader, "PASSKEY_ORIGINS").unwrap_or_default() {
        match origin(&text) {
            Some(origin) => origins.push(origin),
            // no value: somebody may have put a password into it
            None => reader.refuse("PASSKEY_ORIGINS", "has an entry that is no origin", fix),
        }
    }
    if let Some(rp_id) = rp_id.as_ref().filter(|_| !origins.is_empty())
        && !origins.iter().any(|origin| is_below(origin, rp_id))
    {
        let problem = format!("has no origin of {rp_id}, the PASSKEY_RP_ID, or of a host below it");
        reader.refuse("PASSKEY_ORIGINS", &problem, "add the origin of your pages, or correct PASSKEY_RP_ID");
    }
    PasskeySettings { rp_id, origins }
}

fn domain(text: &str) -> Result<String, String> {
    let host = text.trim_end_matches('.').to_ascii_lowercase();
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if !is_address && host.split('.').all(is_label) { Ok(host) } else { Err(format!("\"{text}\" is no domain")) }
}

/// The origin of a page, or of an app: Android has `android:apk-key-hash:…`, Apple's systems send that of a page.
fn origin(text: &str) -> Option<String> {
    if text.contains("://") {
        return web::origin(text).filter(|origin| origin.starts_with("https://") || origin.starts_with("http://"));
    }
    let hash = text.strip_prefix("android:apk-key-hash:")?;
    let is_hash = !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_hash.then(|| text.to_owned())
}

/// Whether an origin is of that domain or of one below it.
#[must_use]
pub fn is_below(origin: &str, rp_id: &str) -> bool {
    let host = origin.split_once("://").map(|(_, authority)| authority.split(':').next().unwrap_or_default());
    host.is_some_and(|host| host == rp_id || host.strip_suffix(rp_id).is_some_and(|rest| rest.ends_with('.')))
}
