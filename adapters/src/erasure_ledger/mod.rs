//! The erasure ledger: a file, apart from the database, with a keyed digest of each account that was deleted. A restore
//! reads it, so that a backup from before a deletion does not bring the account back.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use portcullis_core::model::audit::AuditQuery;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::database::{Change, Committed, Database, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;

use crate::crypto::record_macs::{Authenticated, MacInput, RecordMacs};

/// The first word of each line: the format.
const FORMAT: &str = "v1";
/// Events that are read at once.
const PAGE: u32 = 1000;

/// A deleted account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure<'a> {
    /// The realm.
    pub realm: &'a Realm,
    /// The account.
    pub user: &'a UserId,
}

impl Authenticated for Erasure<'_> {
    fn table(&self) -> &'static str {
        "erasures"
    }

    fn add_to(&self, input: &mut MacInput) {
        input.bytes("realm", self.realm.as_str()).bytes("id", self.user.as_bytes());
    }
}

/// The line of a deletion: format, time in seconds, and the MAC of realm and id under the first entry of the ring.
#[must_use]
pub fn line(macs: &RecordMacs, erasure: Erasure<'_>, at: Timestamp) -> String {
    format!("{FORMAT} {} {}\n", at.as_secs(), hex::encode(macs.sign(&erasure)))
}

/// Why a ledger can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line that this program did not write.
    #[error("{}: line {number} is no line of an erasure ledger. Fix: take an undamaged copy of the file", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        number: usize,
    },
    /// Its key is not in the ring.
    #[error("{}: line {number} is under encryption key {key}, which is not in the ring. Fix: add {key}:KEY to ENCRYPTION_KEY", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        number: usize,
        /// The id of the key.
        key: u32,
    },
}

/// The deleted accounts of one or more ledgers.
#[derive(Default)]
pub struct Erased {
    macs: HashSet<Vec<u8>>,
}

impl Erased {
    /// Adds a file.
    ///
    /// # Errors
    /// When it can't be read to its end. A last line without its end is left out: the write was cut, and the deletion
    /// was never answered.
    pub fn read(&mut self, path: &Path, macs: &RecordMacs) -> Result<(), LedgerError> {
        let text = fs::read_to_string(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        for (index, line) in whole.lines().enumerate() {
            let number = index + 1;
            let mac = parse(line).ok_or_else(|| LedgerError::Line { path: path.to_owned(), number })?;
            if !macs.knows(&mac) {
                let key = mac.first_chunk().map_or(0, |id| u32::from_be_bytes(*id));
                return Err(LedgerError::UnknownKey { path: path.to_owned(), number, key });
            }
            self.macs.insert(mac);
        }
        Ok(())
    }

    /// Whether an account was deleted.
    #[must_use]
    pub fn contains(&self, macs: &RecordMacs, erasure: Erasure<'_>) -> bool {
        !self.macs.is_empty() && macs.sign_by_each(&erasure).iter().any(|mac| self.macs.contains(mac))
    }

    /// How many deletions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.macs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.macs.is_empty()
    }
}

/// The MAC of a line.
fn parse(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split(' ');
    let (format, at, mac) = (words.next()?, words.next()?, words.next()?);
    let mac = hex::decode(mac).ok().filter(|mac| mac.len() == 36)?;
    (format == FORMAT && at.parse::<i64>().is_ok() && words.next().is_none()).then_some(mac)
}

/// The ledger of a server.
pub struct ErasureLedger {
    path: PathBuf,
    macs: Arc<RecordMacs>,
    failures: Arc<AtomicU64>,
    /// Held while a line is written.
    writing: Arc<Mutex<()>>,
}

impl ErasureLedger {
    /// Opens the file, or makes it with mode 0600. A last line that was cut is removed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn open(path: &Path, macs: &Arc<RecordMacs>) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::Io { path: path.to_owned(), source };
        let file = append(path).map_err(failed)?;
        let text = fs::read(path).map_err(failed)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), macs: macs.clone(), failures: Arc::default(), writing: Arc::default() })
    }

    /// How many deletions could not be written down since the start. The next start adds them.
    #[must_use]
    pub fn failures(&self) -> Arc<AtomicU64> {
        self.failures.clone()
    }

    /// Writes lines, and returns once they are on the disk. Where that fails, a part that was written is removed: the next
    /// line must not be joined to it.
    fn add(&self, lines: &str) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = append(&self.path)?;
        let before = file.metadata()?.len();
        let added = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
        if added.is_err() {
            let _ = file.set_len(before);
        }
        added
    }

    /// Adds every deletion of the audit log that the file does not have. A process may have ended between a commit and the
    /// line, or the file may have failed.
    ///
    /// # Errors
    /// When the log or the file fails.
    pub async fn catch_up(&self, log: &dyn AuditLog, realms: &[Realm]) -> Result<u64, PortError> {
        let failed = |error: LedgerError| PortError::new("erasure_ledger", error);
        let mut known = Erased::default();
        known.read(&self.path, &self.macs).map_err(failed)?;
        let (mut lines, mut added) = (String::new(), 0);
        for realm in realms {
            deletions(log, realm, |erasure, at| {
                if !known.contains(&self.macs, erasure) {
                    lines.push_str(&line(&self.macs, erasure, at));
                    added += 1;
                }
            })
            .await?;
        }
        if added > 0 {
            let source = |source| failed(LedgerError::Io { path: self.path.clone(), source });
            self.add(&lines).map_err(source)?;
        }
        Ok(added)
    }

    /// Counts deletions that may be missing in the file.
    fn count_failure(&self, error: &dyn Display) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!("ERASURE_LEDGER: a deletion was not written down, the next start adds it: {error}");
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// The deletions of a realm that the audit log has.
///
/// # Errors
/// When the log fails.
pub async fn deletions(
    log: &dyn AuditLog,
    realm: &Realm,
    mut found: impl FnMut(Erasure<'_>, Timestamp) + Send,
) -> Result<(), PortError> {
    let query = AuditQuery { kinds: vec![EventKind::AccountDeleted], ..AuditQuery::of_realm(realm.clone()) };
    let mut before = None;
    loop {
        let events = log.list(&query, before, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        before = Some(last.position);
        for event in events.iter().map(|logged| &logged.event) {
            if let Some(user) = &event.user {
                found(Erasure { realm, user }, event.at);
            }
        }
    }
}

/// A database whose deletions of accounts are written down in a ledger before they are answered.
pub struct LedgerDatabase {
    ledger: Arc<ErasureLedger>,
    database: Arc<dyn Database>,
}

impl LedgerDatabase {
    /// In front of a database.
    #[must_use]
    pub fn new(ledger: ErasureLedger, database: Arc<dyn Database>) -> Self {
        Self { ledger: Arc::new(ledger), database }
    }
}

#[async_trait]
impl Database for LedgerDatabase {
    async fn commit(&self, work: UnitOfWork) -> Result<Result<Committed, Refusal>, PortError> {
        let at = work.events.first().map_or(Timestamp::from_millis(0), |event| event.at);
        let deleted = work.changes.iter().filter_map(|change| match change {
            Change::DeleteUser { realm, id, .. } => Some(line(&self.ledger.macs, Erasure { realm, user: id }, at)),
            _ => None,
        });
        let lines: String = deleted.collect();
        let outcome = self.database.commit(work).await;
        if lines.is_empty() {
            return outcome;
        }
        // an error may come after the commit
        let outcome = outcome.inspect_err(|error| self.ledger.count_failure(error))?;
        if outcome.is_ok() {
            let ledger = self.ledger.clone();
            let added = tokio::task::spawn_blocking(move || ledger.add(&lines)).await;
            // the account is deleted: the answer must not say that it is not
            if let Err(error) = added.unwrap_or_else(|error| Err(io::Error::other(error))) {
                self.ledger.count_failure(&error);
            }
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests;
