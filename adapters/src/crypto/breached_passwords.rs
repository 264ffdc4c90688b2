//! Breached passwords: a built-in list, and the operator's own file.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use async_trait::async_trait;
use portcullis_core::model::password::Password;
use portcullis_core::ports::breached_passwords::BreachedPasswords;
use portcullis_core::ports::error::PortError;
use sha2::{Digest as _, Sha256};

/// Well-known passwords that a strength estimator may accept.
const NOTORIOUS: &str = include_str!("breached.txt");
/// The most frequent breached passwords of eight characters or more, packed by `cargo xtask breached`: the first bytes of
/// their SHA-256, sorted. With 150,000 entries of 40 bits, one good password in seven million is refused by mistake.
const FREQUENT: &[u8] = include_bytes!("breached.bin");
/// Bytes of an entry of `FREQUENT`.
const PREFIX: usize = 5;

/// Passwords by the first bytes of their SHA-256. The built-in list is searched where it is in the binary.
pub struct BreachedList {
    /// The notorious ones and the operator's: eight bytes each, sorted.
    listed: Vec<u64>,
}

fn digest(password: &str) -> [u8; 32] {
    Sha256::digest(password.as_bytes()).into()
}

fn prefix(password: &str) -> u64 {
    digest(password).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl BreachedList {
    /// The built-in lists and, one password a line, the operator's file.
    ///
    /// # Errors
    /// Which file and line could not be read.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut listed: Vec<u64> = NOTORIOUS.lines().map(|line| prefix(&normalised(line))).collect();
        if let Some(path) = file {
            let opened = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            for (number, line) in BufReader::new(opened).lines().enumerate() {
                let line = line.map_err(|error| format!("{} line {}: {error}", path.display(), number + 1))?;
                listed.push(prefix(&normalised(line.trim_end_matches('\r'))));
            }
        }
        listed.sort_unstable();
        listed.dedup();
        Ok(Self { listed })
    }
}

/// A password of a file in the form in which passwords are looked up.
fn normalised(line: &str) -> String {
    Password::from_login_input(line).map(|password| password.expose().to_owned()).unwrap_or_default()
}

/// Whether the built-in list of frequent passwords has it.
fn is_frequent(password: &str) -> bool {
    let (entries, _) = FREQUENT.as_chunks::<PREFIX>();
    digest(password).first_chunk().is_some_and(|prefix| entries.binary_search(prefix).is_ok())
}

#[async_trait]
impl BreachedPasswords for BreachedList {
    async fn contains(&self, password: &Password) -> Result<bool, PortError> {
        let password = password.expose();
        Ok(self.listed.binary_search(&prefix(password)).is_ok() || is_frequent(password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    async fn known(list: &BreachedList, text: &str) -> bool {
        list.contains(&Password::from_login_input(text).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn knows_the_notorious_the_frequent_and_the_operators_own() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("leaked-Winter-4711\r\nzweite\n".as_bytes()).unwrap();
        let list = BreachedList::load(Some(file.path())).unwrap();
        for breached in ["correcthorsebatterystaple", "leaked-Winter-4711", "password1", "1qaz2wsx3edc", "liverpool1"] {
            assert!(known(&list, breached).await, "{breached}");
        }
        assert!(!known(&list, "SecureP@ssw0rd123!").await);
        assert!(BreachedList::load(Some(Path::new("/nowhere"))).is_err());
    }

    #[test]
    fn the_built_in_list_is_sorted_and_has_enough_entries() {
        let (entries, rest) = FREQUENT.as_chunks::<PREFIX>();
        assert!(rest.is_empty() && entries.is_sorted() && entries.len() > 149_000, "{}", entries.len());
    }

    #[test]
    fn random_passwords_are_not_in_the_list() {
        let refused = (0..100_000).filter(|n| is_frequent(&format!("not chosen by anybody: {n}"))).count();
        assert_eq!(refused, 0);
    }
}
