//! [`AuditLog`] on SQLite. Events are written in the next commit; no caller waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;
use rusqlite::{Connection, Row, params};

use crate::sqlite::Sqlite;
use crate::sqlite::rows::Columns;

const PORT: &str = "audit_log";

/// `None` for an event that a later version wrote.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<Event>> {
    let mut columns = Columns::of(row);
    let (at, realm, kind) = (columns.time()?, columns.realm()?, columns.value::<String>()?);
    let user = columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes);
    let session = columns.value::<Option<[u8; 16]>>()?.map(SessionId::from_bytes);
    Ok(EventKind::parse(&kind).map(|kind| Event { at, realm, kind, user, session }))
}

pub fn insert(db: &Connection, event: &Event) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (at, realm, kind, user_id, session_id) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        event.at.as_millis(),
        event.realm.as_str(),
        event.kind.as_str(),
        event.user.map(|id| *id.as_bytes()),
        event.session.map(|id| *id.as_bytes()),
    ])?;
    Ok(())
}

#[async_trait]
impl AuditLog for Sqlite {
    fn record(&self, event: Event) {
        let kind = event.kind;
        let write = move |db: &Connection| insert(db, &event);
        let count = Arc::clone(&self.lost_events);
        self.writer.write_later(PORT, write, move |error| {
            let lost = count.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(event = kind.as_str(), lost, reason = %error.source, "an event is not in the audit log");
        });
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        // everything that was recorded before
        self.writer.flush(PORT).await?;
        self.readers.read(PORT, |db| {
            let sql = "SELECT at, realm, kind, user_id, session_id FROM audit WHERE realm = ?1 AND user_id = ?2 \
                       ORDER BY number DESC LIMIT ?3";
            let mut statement = db.prepare_cached(sql)?;
            let events = statement.query_map(params![realm.as_str(), user.as_bytes(), limit], read)?;
            events.filter_map(Result::transpose).collect()
        })
    }
}
