//! A list of breached passwords: a few built in, and as many as the operator has a file of.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use async_trait::async_trait;
use portcullis_core::model::password::Password;
use portcullis_core::ports::breached_passwords::BreachedPasswords;
use portcullis_core::ports::error::PortError;
use sha2::{Digest as _, Sha256};

use crate::bloom::Filter;

/// One good password in so many is searched for in vain.
const ONE_IN: u32 = 1000;

/// Notorious ones that an estimator may take for good.
const BUILT_IN: &str = include_str!("breached.txt");

/// Passwords by the first eight octets of their SHA-256: eight octets of memory each, and one false alarm in many
/// millions of lookups.
/// A filter in front answers for nearly all that are not in it with a touch of memory or two, where a search would take
/// thirty.
pub struct BreachedList {
    prefixes: Vec<u64>,
    filter: Filter,
}

fn prefix(password: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(password.as_bytes()).into();
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl BreachedList {
    /// The built-in list and, one password a line, the operator's file.
    ///
    /// # Errors
    /// Which file and line could not be read.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut prefixes: Vec<u64> = BUILT_IN.lines().map(|line| prefix(&normalised(line))).collect();
        if let Some(path) = file {
            let opened = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            for (number, line) in BufReader::new(opened).lines().enumerate() {
                let line = line.map_err(|error| format!("{} line {}: {error}", path.display(), number + 1))?;
                prefixes.push(prefix(&normalised(line.trim_end_matches('\r'))));
            }
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        let mut filter = Filter::sized(prefixes.len(), ONE_IN);
        for prefix in &prefixes {
            filter.add(*prefix);
        }
        Ok(Self { prefixes, filter })
    }
}

/// As a password is normalised before it is looked up.
fn normalised(line: &str) -> String {
    Password::presented(line).map(|password| password.expose().to_owned()).unwrap_or_default()
}

#[async_trait]
impl BreachedPasswords for BreachedList {
    async fn contains(&self, password: &Password) -> Result<bool, PortError> {
        let prefix = prefix(password.expose());
        Ok(self.filter.may_contain(prefix) && self.prefixes.binary_search(&prefix).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    async fn known(list: &BreachedList, text: &str) -> bool {
        list.contains(&Password::presented(text).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn knows_the_notorious_and_the_operators_own() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("leaked-Winter-4711\r\nzweite\n".as_bytes()).unwrap();
        let list = BreachedList::load(Some(file.path())).unwrap();
        assert!(known(&list, "correcthorsebatterystaple").await);
        assert!(known(&list, "leaked-Winter-4711").await);
        assert!(!known(&list, "SecureP@ssw0rd123!").await);
        assert!(BreachedList::load(Some(Path::new("/nowhere"))).is_err());
    }
}
