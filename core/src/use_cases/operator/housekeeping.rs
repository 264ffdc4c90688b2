//! Housekeeping: removes expired records. They were invalid already; this only saves space.

use crate::service::Ports;
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;

/// The number of removed records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurgeReport {
    /// Registrations.
    pub registrations: u64,
    /// Sessions.
    pub sessions: u64,
    /// One-time tokens.
    pub one_time_tokens: u64,
    /// Undo records.
    pub undo_records: u64,
    /// Operator tokens.
    pub credentials: u64,
}

impl Operators<'_> {
    /// Removes expired records.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn run_housekeeping(self) -> Result<PurgeReport, AuthError> {
        let Ports { registrations, sessions, one_time_tokens, undos, credentials, clock, .. } = &self.service.ports;
        let now = clock.now();
        Ok(PurgeReport {
            registrations: registrations.purge_expired(now).await?,
            sessions: sessions.purge_expired(now).await?,
            one_time_tokens: one_time_tokens.purge_expired(now).await?,
            undo_records: undos.purge_expired(now).await?,
            credentials: credentials.purge_expired(now).await?,
        })
    }
}
