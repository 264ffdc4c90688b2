//! Evidence: what happened to which id.

use async_trait::async_trait;

use crate::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use crate::model::event::Event;
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::ports::error::PortError;

/// An append-only log of ids and events. Writing never waits and never fails a request.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends, soon.
    fn record(&self, event: Event);

    /// A user's events, newest first, `limit` at most; what was recorded before the call is in it.
    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError>;

    /// The events of a query in the order of the log, the newest first, `limit` at most: those before a position that an
    /// earlier answer had. Events recorded before the call are in it. Events that several instances record at the same
    /// time may become visible later than a newer one.
    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError>;
}
