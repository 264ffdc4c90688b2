//! The erasure ledger of the settings.

use std::sync::Arc;

use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::erasure_ledger::{ErasureLedger, LedgerDatabase, deletions, line};
use portcullis_core::ports::audit_log::AuditLog;

use super::factories::{realms, record_macs};
use super::stores::Stores;
use crate::config::Settings;

/// Deletions that could not be written down.
const FAILURES: &str = "portcullis_erasure_ledger_failures_total";

impl Stores {
    /// With the ledger in front of the database, where it is set. A start of a server adds the deletions that it missed.
    pub async fn with_erasure_ledger(mut self, settings: &Settings, catches_up: bool) -> Result<Self, String> {
        let Some(path) = &settings.erasure_ledger else { return Ok(self) };
        let failed = |error: &dyn std::fmt::Display| format!("ERASURE_LEDGER: {error}. Fix: make the file writable");
        let ledger = ErasureLedger::open(path, &record_macs(settings)?).map_err(|error| failed(&error))?;
        if catches_up {
            let added = ledger.catch_up(&*self.audit, &realms(settings)?).await;
            let added = added.map_err(|error| format!("ERASURE_LEDGER: {}", error.with_cause()))?;
            if added > 0 {
                tracing::warn!("ERASURE_LEDGER: {added} deletions of the audit log were missing, and are added");
            }
        }
        self.counts.push((FAILURES, ledger.failures()));
        self.database = Arc::new(LedgerDatabase::new(ledger, self.database));
        Ok(self)
    }
}

/// The lines of all deletions that the audit log has.
///
/// # Errors
/// The problem, by the setting's name.
pub async fn lines(settings: &Settings, log: &dyn AuditLog) -> Result<String, String> {
    let (macs, mut lines): (Arc<RecordMacs>, _) = (record_macs(settings)?, String::new());
    for realm in realms(settings)? {
        let added = deletions(log, &realm, |erasure, at| lines.push_str(&line(&macs, erasure, at))).await;
        added.map_err(|error| error.with_cause())?;
    }
    Ok(lines)
}
