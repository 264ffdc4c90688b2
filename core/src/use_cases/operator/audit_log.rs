//! An operator reads the audit log. To read the events of one account, or all of them, is an event itself.

use crate::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use crate::model::event::{Event, EventKind};
use crate::model::event_detail::EventDetail;
use crate::model::realm::Realm;
use crate::ports::database::UnitOfWork;
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;

impl Operators<'_> {
    /// The events of a query, as [`crate::ports::audit_log::AuditLog::list`] has them. Those of one account are about a
    /// person: the reading is recorded first.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_events(
        self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, AuthError> {
        if query.user.is_some() {
            let event = self.event(&query.realm, EventKind::AuditRead, query.user);
            self.service.commit(UnitOfWork { events: vec![event], ..UnitOfWork::default() }).await?;
        }
        Ok(self.service.ports.audit.list(query, before, limit).await?)
    }

    /// Records in these realms that all events are read.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn record_export(self, realms: &[Realm]) -> Result<(), AuthError> {
        let events = realms.iter().map(|realm| self.event(realm, EventKind::AuditRead, None)).collect();
        self.service.commit(UnitOfWork { events, ..UnitOfWork::default() }).await.map(|_| ())
    }

    /// Records in these realms that the records are under another key.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn record_rotation(
        self,
        realms: &[Realm],
        kind: EventKind,
        (records, key): (u64, u32),
    ) -> Result<(), AuthError> {
        let detail = Some(EventDetail::records_under_key(records, key));
        let event = |realm| Event { detail: detail.clone(), ..self.event(realm, kind, None) };
        let events = realms.iter().map(event).collect();
        self.service.commit(UnitOfWork { events, ..UnitOfWork::default() }).await.map(|_| ())
    }
}
