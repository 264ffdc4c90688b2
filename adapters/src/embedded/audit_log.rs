//! [`AuditLog`] on SQLite: written with the other changes, waited for by nobody.

use async_trait::async_trait;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;
use rusqlite::{Row, params};

use crate::embedded::Embedded;
use crate::embedded::rows::{Columns, unreadable};

const PORT: &str = "audit_log";

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let mut columns = Columns::of(row);
    let (at, realm) = (columns.time()?, columns.realm()?);
    let kind =
        EventKind::parse(&columns.value::<String>()?).ok_or_else(|| unreadable(2, "an unknown kind of event"))?;
    Ok(Event {
        at,
        realm,
        kind,
        user: columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes),
        session: columns.value::<Option<[u8; 16]>>()?.map(SessionId::from_bytes),
    })
}

#[async_trait]
impl AuditLog for Embedded {
    fn record(&self, event: Event) {
        let kind = event.kind;
        let queued = self.writer.write_later(move |db| {
            let sql = "INSERT INTO audit (at, realm, kind, user_id, session_id) VALUES (?1, ?2, ?3, ?4, ?5)";
            db.prepare_cached(sql)?.execute(params![
                event.at.as_millis(),
                event.realm.as_str(),
                event.kind.as_str(),
                event.user.map(|id| *id.as_bytes()),
                event.session.map(|id| *id.as_bytes()),
            ])?;
            Ok(())
        });
        if !queued {
            tracing::error!(event = kind.as_str(), "an event could not be written to the audit log");
        }
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        let (realm, user) = (realm.clone(), *user);
        // through the writer, behind everything that was recorded before
        let question = move |db: &rusqlite::Connection| {
            let sql = "SELECT at, realm, kind, user_id, session_id FROM audit WHERE realm = ?1 AND user_id = ?2 \
                       ORDER BY number DESC LIMIT ?3";
            let mut statement = db.prepare_cached(sql)?;
            statement.query_map(params![realm.as_str(), user.as_bytes(), limit], read)?.collect()
        };
        self.writer.write(PORT, question).await
    }
}
