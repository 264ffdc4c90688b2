//! Reads the secrets. Each must be strong and used for one purpose; development generates missing ones once.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::settings_reader::SettingsReader;
use super::strength::{GENERATE, GENERATE_AUDIT, SHORTEST, SHORTEST_INDEX_KEY, check, claim, key_weakness};
use super::{Environment, SecretText, dev_secrets};

/// Each record has one digest for each index key of the ring.
const MOST_INDEX_KEYS: usize = 2;

/// The ring of encryption keys; the first one encrypts. Shows its ids only, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyRing(pub Vec<(u32, [u8; 32])>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.0.iter().map(|(id, _)| *id).collect();
        write!(f, "KeyRing(ids {ids:?}, keys redacted)")
    }
}

/// A ring of secrets, each with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRing(pub Vec<(u32, SecretText)>);

impl SecretRing {
    /// The first one.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.0.first().map_or("", |(_, secret)| secret.expose())
    }

    /// Their ids, the newest first.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    /// All of them.
    #[must_use]
    pub fn entries(&self) -> Vec<(u32, &str)> {
        self.0.iter().map(|(id, secret)| (*id, secret.expose())).collect()
    }
}

/// The secrets of a server.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Sign tokens; the first one signs, all of them verify.
    pub jwt_secrets: SecretRing,
    /// Wraps data keys.
    pub encryption_ring: KeyRing,
    /// Keys the blind indexes; the first one is the newest. One or two.
    pub index_keys: SecretRing,
    /// The bearer token of operators.
    pub operator_token: Option<SecretText>,
    /// Sign notes about the audit log; the first one signs, all of them verify.
    pub audit_signing: Option<KeyRing>,
}

/// Reads the secrets; in development makes those that are missing and keeps them in `file`. Without one the place to
/// keep them is itself in question: then what is missing is no further problem.
pub fn read(
    reader: &mut SettingsReader,
    environment: Environment,
    file: Option<&Path>,
    fill_random: &dyn Fn(&mut [u8]),
) -> Option<Secrets> {
    let development = environment == Environment::Development;
    if let Some(file) = file.filter(|_| development) {
        dev_secrets::add_missing(reader, file, fill_random);
    }
    let needed = !development || file.is_some();
    let jwt_secrets = strong_ring(reader, "JWT_SECRET", SHORTEST);
    let ring = reader.text("ENCRYPTION_KEY");
    let encryption_ring = ring.as_ref().and_then(|found| parse_ring(reader, "ENCRYPTION_KEY", GENERATE, &found.text));
    let audit_signing = reader.text("AUDIT_SIGNING_KEY");
    let audit_signing =
        audit_signing.and_then(|found| parse_ring(reader, "AUDIT_SIGNING_KEY", GENERATE_AUDIT, &found.text));
    let index_keys = strong_ring(reader, "INDEX_KEY", SHORTEST_INDEX_KEY);
    if index_keys.as_ref().is_some_and(|ring| ring.0.len() > MOST_INDEX_KEYS) {
        reader.refuse(
            "INDEX_KEY",
            "is a ring of more than two keys",
            "keep the new key and the old one, as in INDEX_KEY=2:NEW,1:OLD; `portcullis keys reindex` lets the old one go",
        );
    }
    let operator_token = strong(reader, "OPERATOR_TOKEN", SHORTEST);
    let there = [
        ("JWT_SECRET", jwt_secrets.is_some()),
        ("ENCRYPTION_KEY", ring.is_some()),
        ("INDEX_KEY", index_keys.is_some()),
    ];
    for (name, there) in there {
        if needed && !there && !reader.has_problem(name) {
            let older = if name == "INDEX_KEY" { ", nor is its older name EMAIL_SALT" } else { "" };
            reader.refuse(name, &format!("is not set{older}"), GENERATE);
        }
    }
    Some(Secrets {
        jwt_secrets: jwt_secrets?,
        encryption_ring: encryption_ring?,
        index_keys: index_keys?,
        operator_token,
        audit_signing,
    })
}

fn strong(reader: &mut SettingsReader, name: &'static str, shortest: usize) -> Option<SecretText> {
    let secret = reader.secret(name)?;
    check(reader, name, secret.expose(), shortest);
    claim(reader, name, secret.expose());
    Some(secret)
}

/// `SECRET` or `2:SECRET,1:SECRET`.
fn strong_ring(reader: &mut SettingsReader, name: &'static str, shortest: usize) -> Option<SecretRing> {
    let value = reader.secret(name)?;
    let entries: Vec<Option<(u32, &str)>> = value.expose().split(',').map(ring_entry).collect();
    let entries = entries.into_iter().collect::<Option<Vec<_>>>().unwrap_or_else(|| vec![(1, value.expose())]);
    let mut ring = SecretRing(Vec::new());
    for (id, secret) in entries {
        if ring.0.iter().any(|(known, _)| *known == id) {
            reader.refuse(name, &format!("has the id {id} twice"), "give each secret an id of its own");
            return None;
        }
        check(reader, name, secret, shortest);
        claim(reader, name, secret);
        ring.0.push((id, SecretText::new(secret)));
    }
    Some(ring)
}

/// One part of a ring: an id from 1 to 99999 and at least 22 characters.
fn ring_entry(part: &str) -> Option<(u32, &str)> {
    let (id, secret) = part.split_once(':')?;
    let is_id = (1..=5).contains(&id.len()) && !id.starts_with('0') && id.bytes().all(|digit| digit.is_ascii_digit());
    (is_id && secret.chars().count() >= 22).then_some((id.parse().ok()?, secret))
}

/// `KEY` or `2:KEY,1:KEY`.
fn parse_ring(reader: &mut SettingsReader, name: &'static str, fix: &str, text: &str) -> Option<KeyRing> {
    let mut ring = KeyRing(Vec::new());
    for entry in text.split(',').map(str::trim) {
        let (id, key_text) = match entry.split_once(':') {
            Some((id, key)) => (id.parse::<u32>().ok(), key),
            None => (Some(1), entry),
        };
        let (Some(id), Some(key)) = (id, decode(key_text)) else {
            let what = "is not URL-safe base64 of 32 bytes, nor a ring of such as in 2:KEY,1:KEY";
            reader.refuse(name, what, fix);
            return None;
        };
        if ring.0.iter().any(|(known, _)| *known == id) {
            reader.refuse(name, &format!("has the id {id} twice"), "give each key an id of its own");
            return None;
        }
        if key.iter().all(|byte| Some(byte) == key.first()) {
            reader.refuse(name, &format!("has a key ({id}) that is not random"), fix);
            return None;
        }
        if let Some(what) = key_weakness(key_text, &key) {
            reader.refuse(name, &format!("has a key ({id}) that {what}"), fix);
            return None;
        }
        claim(reader, name, key_text);
        ring.0.push((id, key));
    }
    Some(ring)
}

/// 32 bytes from base64 of either alphabet.
#[must_use]
pub fn decode(key: &str) -> Option<[u8; 32]> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, config);
    let bytes = GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(key).or_else(|_| standard.decode(key)).ok()?;
    bytes.try_into().ok()
}
