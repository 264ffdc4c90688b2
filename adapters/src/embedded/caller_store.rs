//! [`CallerStore`] on SQLite: one statement, so one look at the log's index instead of two; none for a caller of a moment
//! ago.

use std::sync::LazyLock;

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::Session;
use portcullis_core::model::user::User;
use portcullis_core::ports::caller_store::CallerStore;
use portcullis_core::ports::error::PortError;
use rusqlite::{OptionalExtension as _, params};

use crate::embedded::recent::Rows;
use crate::embedded::rows::Columns;
use crate::embedded::{Embedded, session_store, user_store};

const PORT: &str = "caller_store";

pub static SQL: LazyLock<String> = LazyLock::new(|| {
    let (of_session, of_user) = (session_store::COLUMNS, user_store::other_columns());
    format!(
        "SELECT s.*, u.* FROM (SELECT rowid, {of_session} FROM sessions WHERE realm = ?1 AND id = ?2) AS s, \
         (SELECT users.rowid, slot, {of_user} FROM users JOIN keys ON slot = key_slot WHERE realm = ?1 AND id = ?3) AS u"
    )
});

impl Embedded {
    pub(super) fn read_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Rows, Session, User)>, PortError> {
        self.readers.read(PORT, |db| {
            let which = params![realm.as_str(), session.as_bytes(), user.as_bytes()];
            let mut statement = db.prepare_cached(&SQL)?;
            let both = statement.query_row(which, |row| {
                let mut columns = Columns::of(row);
                let of_session = columns.value()?;
                let session = session_store::read_rest(realm.clone(), *session, &mut columns)?;
                let rows = [of_session, columns.value()?, columns.value()?];
                Ok((rows, session, user_store::read_rest(realm.clone(), *user, &mut columns)?))
            });
            both.optional()
        })
    }
}

#[async_trait]
impl CallerStore for Embedded {
    async fn find_caller(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        let Some(recent) = &self.recent else {
            return Ok(self.read_caller(realm, session, user)?.map(|(_, session, user)| (session, user)));
        };
        if let Some(known) = recent.find(realm, session, user) {
            return Ok(Some(known));
        }
        if recent.falls_behind() {
            self.writer.look();
        }
        let before = recent.before(session);
        let Some((rows, session, user)) = self.read_caller(realm, session, user)? else { return Ok(None) };
        recent.keep(&before, rows, &session, &user);
        Ok(Some((session, user)))
    }
}
