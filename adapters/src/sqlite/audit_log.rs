//! [`AuditLog`] on SQLite. Events are written in the next commit; no caller waits for it.

use crate::authenticated_records::new_event;
use crate::crypto::record_macs::Stored;
use crate::sqlite::rows::order_of;
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::stored_record::StoredEvent;
use portcullis_core::model::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use portcullis_core::model::event::Event;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;
use rusqlite::{Row, params};

use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::Columns;

const PORT: &str = "audit_log";

pub const COLUMNS: &str = "number, event_id, at, realm, kind, user_id, session_id, operator, reason, detail, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<StoredEvent>> {
    let mut columns = Columns::of(row);
    let (number, id, at) = (columns.number()?, columns.value::<Option<[u8; 16]>>()?, columns.time()?);
    let event = StoredEvent {
        order: order_of(at, number),
        id,
        at,
        realm: columns.realm()?,
        kind: columns.value()?,
        user: columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes),
        session: columns.value::<Option<[u8; 16]>>()?.map(SessionId::from_bytes),
        operator: columns.value()?,
        reason: columns.value()?,
        detail: columns.value()?,
    };
    columns.with_mac(event)
}

/// Appends an event.
pub fn append(db: &Db, event: &StoredEvent) -> rusqlite::Result<()> {
    let sql = "INSERT INTO audit (event_id, at, realm, kind, user_id, session_id, operator, reason, detail, mac) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let all = params![
        event.id,
        event.at.as_millis(),
        event.realm.as_str(),
        event.kind,
        event.user.map(|id| *id.as_bytes()),
        event.session.map(|id| *id.as_bytes()),
        event.operator,
        event.reason,
        event.detail,
        db.sign(event),
    ];
    db.prepare_cached(sql)?.execute(all).map(|_| ())
}

pub fn insert(db: &Db, event: &Event) -> rusqlite::Result<()> {
    append(db, &new_event(event))
}

/// The newest events of a query before a position. Rows that do not verify, and events of a later version, are left out.
fn list(db: &Db, query: &AuditQuery, before: Option<AuditPosition>, limit: u32) -> rusqlite::Result<Vec<LoggedEvent>> {
    // by the row number where no account is named: the index of accounts would sort the whole realm
    let which = if query.user.is_some() { "realm = ?1 AND user_id = ?2" } else { "+realm = ?1 AND ?2 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE {which} AND number < ?3 AND at >= ?4 AND at < ?5 ORDER BY number DESC"
    );
    let user = query.user.map(|user| *user.as_bytes());
    let since = query.since.map_or(i64::MIN, Timestamp::as_millis);
    let until = query.until.map_or(i64::MAX, Timestamp::as_millis);
    let mut statement = db.prepare_cached(&sql)?;
    let before = before.map_or(i64::MAX, number_of);
    let found = statement.query_map(params![query.realm.as_str(), user, before, since, until], read)?;
    let mut listed = Vec::new();
    for stored in found {
        if listed.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            break;
        }
        let Ok(event) = stored?.verified(&db.macs) else { continue };
        let position = AuditPosition::from_bytes(event.order);
        listed.extend(event.event().filter(|event| query.matches(event)).map(|event| LoggedEvent { position, event }));
    }
    Ok(listed)
}

/// The row number in a position.
pub fn number_of(position: AuditPosition) -> i64 {
    let [_, _, _, _, number @ ..] = *position.as_bytes();
    i64::from_be_bytes(number)
}

#[async_trait]
impl AuditLog for Sqlite {
    fn record(&self, event: Event) {
        let kind = event.kind;
        let write = move |db: &Db| insert(db, &event);
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
            let sql =
                format!("SELECT {COLUMNS} FROM audit WHERE realm = ?1 AND user_id = ?2 ORDER BY number DESC LIMIT ?3");
            let found = db.find_all(&sql, params![realm.as_str(), user.as_bytes(), limit], read)?;
            let of_user = found.into_iter().filter(|event| event.realm == *realm && event.user == Some(*user));
            Ok(of_user.filter_map(StoredEvent::event).collect())
        })
    }

    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError> {
        self.writer.flush(PORT).await?;
        self.readers.read(PORT, |db| list(db, query, before, limit))
    }
}
