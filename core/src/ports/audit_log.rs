//! Evidence: what happened to which id.

use async_trait::async_trait;

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
}
