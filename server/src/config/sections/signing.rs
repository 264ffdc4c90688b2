//! How access tokens are signed: the algorithm, and private keys in files.

use std::fs;
use std::path::PathBuf;

use portcullis_adapters::crypto::signing_keys::{KeyKind, PrivateKey};
use zeroize::Zeroizing;

use crate::config::Signing;
use crate::config::settings_reader::SettingsReader;

const FILES: &str = "SIGNING_KEY_FILE";

/// `SIGNING`, and with it `SIGNING_KEY_FILE`.
pub fn signing(reader: &mut SettingsReader) -> Signing {
    let words = [("HS256", None), ("ES256", Some(KeyKind::P256)), ("EdDSA", Some(KeyKind::Ed25519))];
    let signing = reader.choice("SIGNING", None, &words);
    let algorithm = reader.choice("JWT_ALGORITHM", signing, &words);
    if algorithm != signing && reader.text("SIGNING").is_some() {
        reader.refuse("JWT_ALGORITHM", "contradicts SIGNING", "keep one of the two");
    }
    let files = key_files(reader);
    match algorithm {
        None if files.is_empty() => Signing::Secret,
        None => {
            reader.refuse(FILES, "is for SIGNING=ES256 and EdDSA", "set SIGNING, or leave the file out");
            Signing::Secret
        }
        Some(kind) if files.is_empty() => Signing::Derived(kind),
        Some(kind) => Signing::Keys(kind, keys(reader, kind, files)),
    }
}

/// The files of private keys: one, or a ring as in `2:new.pem,1:old.pem`.
pub fn key_files(reader: &mut SettingsReader) -> Vec<(u32, PathBuf)> {
    let Some(found) = reader.text(FILES) else { return Vec::new() };
    let ring = found.text.split(',').map(|part| ring_entry(part.trim())).collect::<Option<Vec<_>>>();
    let files = ring.unwrap_or_else(|| vec![(1, found.text.trim())]);
    files.into_iter().map(|(id, path)| (id, reader.working_dir.join(path))).collect()
}

fn ring_entry(part: &str) -> Option<(u32, &str)> {
    let (id, path) = part.split_once(':')?;
    let is_id = (1..=5).contains(&id.len()) && !id.starts_with('0') && id.bytes().all(|digit| digit.is_ascii_digit());
    (is_id && !path.is_empty()).then_some((id.parse().ok()?, path))
}

fn keys(reader: &mut SettingsReader, kind: KeyKind, files: Vec<(u32, PathBuf)>) -> Vec<(u32, PrivateKey)> {
    let mut keys: Vec<(u32, PrivateKey)> = Vec::new();
    for (id, path) in files {
        let shown = path.display();
        let key = fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| format!("cannot be read: {error}"));
        let key = key.and_then(|text| PrivateKey::from_pem(kind, &text).map_err(str::to_owned));
        match key {
            Ok(_) if keys.iter().any(|(known, _)| *known == id) => {
                reader.refuse(FILES, &format!("has the id {id} twice"), "give each key an id of its own");
            }
            Ok(key) if keys.iter().any(|(_, known)| *known == key) => {
                reader.refuse(FILES, &format!("has the key of {shown} twice"), "name each key once");
            }
            Ok(key) => keys.push((id, key)),
            Err(what) => {
                reader.refuse(FILES, &format!("{shown} {what}"), &format!("make a key: {} > {shown}", kind.command()));
            }
        }
    }
    keys
}
