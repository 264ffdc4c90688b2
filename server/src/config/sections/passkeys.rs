//! Settings of passkeys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{list, web};
use crate::config::settings_reader::SettingsReader;

/// Settings of passkeys.
#[derive(Debug, Clone)]
pub struct PasskeySettings {
    /// `PASSKEY_RP_ID`.
    pub rp_id: Option<String>,
    /// `PASSKEY_ORIGINS`.
    pub origins: Vec<String>,
    /// `PASSKEY_APPLE_APPS`: team and bundle of each.
    pub apple_apps: Vec<String>,
    /// `PASSKEY_ANDROID_APPS`.
    pub android_apps: Vec<AndroidApp>,
}

/// An app of Android.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AndroidApp {
    /// The name of its package.
    pub package: String,
    /// The SHA-256 digest of the certificate that signs it.
    pub certificate: [u8; 32],
}

impl AndroidApp {
    /// Reads `com.example.app=AB:CD:…`.
    fn parse(text: &str) -> Option<Self> {
        let (package, fingerprint) = text.split_once('=')?;
        let pairs: Vec<&str> = fingerprint.split(':').collect();
        let is_byte = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !pairs.iter().all(is_byte) || !is_app_name(package) {
            return None;
        }
        let bytes: Option<Vec<u8>> = pairs.iter().map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        Some(Self { package: package.to_owned(), certificate: bytes?.try_into().ok()? })
    }

    /// The origin that it reports for passkeys.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("android:apk-key-hash:{}", URL_SAFE_NO_PAD.encode(self.certificate))
    }

    /// The fingerprint, as `AB:CD:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.certificate.map(|byte| format!("{byte:02X}")).join(":")
    }
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
    PasskeySettings { rp_id, origins, apple_apps: apple_apps(reader), android_apps: android_apps(reader) }
}

fn apple_apps(reader: &mut SettingsReader) -> Vec<String> {
    let mut apps = list(reader, "PASSKEY_APPLE_APPS").unwrap_or_default();
    let is_team = |team: &str| team.len() == 10 && team.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_app = |app: &String| app.split_once('.').is_some_and(|(team, bundle)| is_team(team) && is_app_name(bundle));
    if !apps.iter().all(is_app) {
        let fix = "write each as TEAMID1234.com.example.app: the team's ten characters and the bundle";
        reader.refuse("PASSKEY_APPLE_APPS", "has an entry that is no app", fix);
        apps.clear();
    }
    apps
}

fn android_apps(reader: &mut SettingsReader) -> Vec<AndroidApp> {
    let apps = list(reader, "PASSKEY_ANDROID_APPS").unwrap_or_default();
    let parsed: Option<Vec<AndroidApp>> = apps.iter().map(|text| AndroidApp::parse(text)).collect();
    parsed.unwrap_or_else(|| {
        let fix = "write each as com.example.app=AB:CD:… with the 32 bytes that `keytool -list -v` prints as SHA256";
        reader.refuse("PASSKEY_ANDROID_APPS", "has an entry that is no app with a SHA-256 fingerprint", fix);
        Vec::new()
    })
}

/// Whether a text can be the name of a package or bundle: words of ASCII with dots between them.
fn is_app_name(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    text.split('.').all(is_word)
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
