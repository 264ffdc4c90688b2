//! Key rotation: wraps every data key of a store under the ring's first key and signs every record with it, page by page, beside running servers. Each
//! key is replaced only where it still is the one that was read, so no change or deletion is undone, and after a kill
//! another call goes on. The ring's check value is last: until it is under the new key too, no server starts without the
//! old one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portcullis_core::model::sealed::{AadContext, Field};
use portcullis_core::model::stored_key::{KeyReplacement, RecordKind, SignedAgain, StoredDataKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;

use crate::crypto::check_values;

/// Records read at once.
const PAGE_SIZE: u32 = 200;
/// Keys replaced at once.
const BATCH_SIZE: usize = 32;
/// Passes over all records. Servers that still wrap under an old key after that need a restart.
const MAX_PASSES: u32 = 5;
/// How often a call of a failing store is tried, with growing waits.
const MAX_ATTEMPTS: u32 = 8;
/// The name of the check values among the kinds of records.
pub const CHECKS: &str = "checks";
/// The name of the records' MACs among the kinds of records.
pub const MACS: &str = "macs";

/// How many records' keys are wrapped under which key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// By the id of the wrapping key, then by the kind of record. `None` is a key that is not in our format.
    pub by_key: BTreeMap<Option<u32>, BTreeMap<&'static str, u64>>,
}

impl KeyUsage {
    fn count(&mut self, key: Option<u32>, kind: &'static str) {
        self.add(key, kind, 1);
    }

    fn add(&mut self, key: Option<u32>, kind: &'static str, count: u64) {
        if count > 0 {
            *self.by_key.entry(key).or_default().entry(kind).or_default() += count;
        }
    }

    /// Records of all kinds.
    #[must_use]
    pub fn under(&self, key: Option<u32>) -> u64 {
        self.by_key.get(&key).map_or(0, |counts| counts.values().sum())
    }
}

/// The result of a rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Keys that were rewrapped.
    pub rewrapped: u64,
    /// Records that were signed again.
    pub signed: u64,
    /// The key usage that the last pass found.
    pub usage: KeyUsage,
    /// Keys that their wrapping key of the ring does not open, by its id. Nothing can be read with them.
    pub damaged: BTreeMap<u32, u64>,
}

impl Report {
    /// How many keys are still under each older key of the ring, without the damaged ones.
    #[must_use]
    pub fn left_under_older_keys(&self, ring: &[u32]) -> Vec<(u32, u64)> {
        let older = ring.iter().skip(1).map(|id| {
            let damaged = self.damaged.get(id).copied().unwrap_or_default();
            (*id, self.usage.under(Some(*id)).saturating_sub(damaged))
        });
        older.filter(|(_, count)| *count > 0).collect()
    }
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The kind of records.
    pub kind: RecordKind,
    /// How many keys were read.
    pub done: u64,
    /// How many there are. An estimate.
    pub all: u64,
}

/// A rotation.
pub struct KeyRotation<'a> {
    /// The store whose keys are rotated.
    pub store: &'a dyn KeyRotationStore,
    /// The ring.
    pub cipher: &'a dyn FieldCipher,
    /// Called at every step.
    pub on_step: &'a (dyn Fn(Step) + Send + Sync),
}

impl KeyRotation<'_> {
    /// Counts the keys, and changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_usage(&self) -> Result<KeyUsage, PortError> {
        let mut report = Report::default();
        self.pass(&mut report, false).await?;
        for key in self.cipher.ring() {
            let count = retry(|| self.store.count_macs(key)).await?;
            report.usage.add(Some(key), MACS, count);
        }
        let check = retry(|| self.store.check_value(check_values::RING)).await?;
        if let Some(wrapped) = check.as_deref().and_then(check_values::wrapped_key) {
            report.usage.count(self.cipher.wrapping_key(&wrapped), CHECKS);
        }
        Ok(report.usage)
    }

    /// Rewraps every key that is under an older key of the ring.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(&self) -> Result<Report, PortError> {
        let mut report = Report::default();
        for _ in 0..MAX_PASSES {
            (report.usage, report.damaged) = Default::default();
            // records that changed or came during a pass are found by the next one; the last finds nothing to do
            if self.pass(&mut report, true).await? + self.sign_again(&mut report).await? == 0 {
                break;
            }
        }
        if report.left_under_older_keys(&self.cipher.ring()).is_empty() {
            retry(|| self.store.purge_replaced_keys()).await?;
            report.rewrapped += u64::from(self.rewrap_check_value().await?);
        }
        Ok(report)
    }

    /// Reads every key once. Returns how many replacements were tried.
    async fn pass(&self, report: &mut Report, rewrap: bool) -> Result<u64, PortError> {
        let mut tried = 0;
        for kind in RecordKind::ALL {
            let all = retry(|| self.store.count_keys(kind)).await?;
            let (mut done, mut cursor) = (0, None::<String>);
            loop {
                let page = retry(|| self.store.keys(kind, cursor.clone(), PAGE_SIZE)).await?;
                let read = page.keys.len() as u64;
                let keys = page.keys.into_iter();
                let replacements: Vec<_> =
                    keys.filter_map(|key| self.plan_replacement(kind, key, report, rewrap)).collect();
                tried += replacements.len() as u64;
                done += read - replacements.len() as u64;
                for batch in replacements.chunks(BATCH_SIZE) {
                    report.rewrapped += self.replace(kind, batch).await?;
                    done += batch.len() as u64;
                    (self.on_step)(Step { kind, done, all: all.max(done) });
                }
                (self.on_step)(Step { kind, done, all: all.max(done) });
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(tried)
    }

    /// Signs under the newest key the records that are signed under an older one. Returns how many records were signed.
    async fn sign_again(&self, report: &mut Report) -> Result<u64, PortError> {
        let mut all = 0;
        for older in self.cipher.ring().into_iter().skip(1) {
            loop {
                let began = Instant::now();
                let SignedAgain { found, signed } = retry(|| self.store.sign_again(older, PAGE_SIZE)).await?;
                all += signed;
                if signed == 0 {
                    report.usage.add(Some(older), MACS, found);
                    if found > 0 {
                        *report.damaged.entry(older).or_default() += found;
                    }
                    break;
                }
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        report.signed += all;
        Ok(all)
    }

    /// Counts a key. Returns its replacement if it is to be rewrapped.
    fn plan_replacement(
        &self,
        kind: RecordKind,
        key: StoredDataKey,
        report: &mut Report,
        rewrap: bool,
    ) -> Option<KeyReplacement> {
        if key.key.as_bytes().iter().all(|byte| *byte == 0) {
            // the record is being deleted, and its key is overwritten already
            return None;
        }
        let (id, ring) = (self.cipher.wrapping_key(&key.key), self.cipher.ring());
        report.usage.count(id, kind.as_str());
        let older = id.filter(|id| ring.iter().skip(1).any(|older| older == id))?;
        if !rewrap {
            return None;
        }
        let context = AadContext { realm: &key.realm, record: &key.record, field: Field::Key };
        if let Ok(new) = self.cipher.rewrap(&key.key, context) {
            return Some(KeyReplacement { expected: key, new });
        }
        *report.damaged.entry(older).or_default() += 1;
        None
    }

    /// Replaces some keys, then sleeps as long as that took: half of the store's time is left to the servers.
    async fn replace(&self, kind: RecordKind, batch: &[KeyReplacement]) -> Result<u64, PortError> {
        let began = Instant::now();
        let replaced = retry(|| self.store.replace_keys(kind, batch.to_vec())).await?;
        tokio::time::sleep(began.elapsed()).await;
        Ok(replaced)
    }

    /// Rewraps the ring's check value. Returns whether it was replaced.
    async fn rewrap_check_value(&self) -> Result<bool, PortError> {
        let Some(expected) = retry(|| self.store.check_value(check_values::RING)).await? else { return Ok(false) };
        if check_values::wrapped_key(&expected).is_some_and(|wrapped| self.cipher.is_newest(&wrapped)) {
            return Ok(false);
        }
        let new = check_values::ring_check(self.cipher)?;
        retry(|| self.store.replace_check_value(check_values::RING, &expected, &new)).await
    }
}

/// Repeats a call while the store is busy or elects a primary. Every call of a rotation can be repeated.
pub(crate) async fn retry<T, F: Future<Output = Result<T, PortError>>>(call: impl Fn() -> F) -> Result<T, PortError> {
    let mut wait = Duration::from_millis(50);
    for _ in 1..MAX_ATTEMPTS {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => tracing::debug!("a call of the store is repeated in {wait:?}: {error}"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    call().await
}
