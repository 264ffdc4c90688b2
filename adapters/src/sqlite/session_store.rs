//! [`SessionStore`] on SQLite.

use std::sync::LazyLock;

use async_trait::async_trait;
use portcullis_core::model::ids::{SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::session::{AuthMethods, Rotated, Session};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::User;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::session_store::SessionStore;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{Columns, signed, unreadable};
use crate::sqlite::user_store;

const PORT: &str = "session_store";
pub const COLUMNS: &str = "user_id, credentials_version, user_agent, address, authenticated_at, created_at, last_used_at, \
                       idle_expires_at, expires_at, current, previous, rotated_at, successor, version, methods, failures, mac";

/// Session and account in one statement: nearly every request needs both.
pub static WITH_ACCOUNT: LazyLock<String> = LazyLock::new(|| {
    let of_user = user_store::other_columns();
    format!(
        "SELECT s.*, u.* FROM (SELECT {COLUMNS} FROM sessions WHERE realm = ?1 AND id = ?2) AS s, \
         (SELECT {of_user} FROM users JOIN keys ON slot = key_slot WHERE realm = ?1 AND id = ?3) AS u"
    )
});

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<Session>> {
    let mut columns = Columns::of(row);
    let (realm, id) = (columns.realm()?, SessionId::from_bytes(columns.id()?));
    read_rest(realm, id, &mut columns)
}

/// The other columns, from the next one on.
pub fn read_rest(realm: Realm, id: SessionId, columns: &mut Columns<'_, '_>) -> rusqlite::Result<Stored<Session>> {
    let session = Session {
        realm,
        id,
        user: UserId::from_bytes(columns.id()?),
        credentials_version: columns.number()?,
        user_agent: columns.sealed()?,
        address: columns.sealed()?,
        authenticated_at: columns.time()?,
        created_at: columns.time()?,
        last_used_at: columns.time()?,
        idle_expires_at: columns.time()?,
        expires_at: columns.time()?,
        current: columns.digest()?,
        previous: {
            let (token, at) = (columns.digest_if_any()?, columns.value::<Option<i64>>()?);
            let successor = columns.value::<Option<[u8; 16]>>()?;
            let parts = [token.is_some(), at.is_some(), successor.is_some()];
            let whole = token.zip(at).zip(successor);
            let whole = columns.together(&parts, whole)?;
            whole.map(|((token, at), successor)| Rotated { token, at: Timestamp::from_millis(at), successor })
        },
        version: columns.number()?,
        methods: {
            let bits = columns.value()?;
            AuthMethods::from_bits(bits).ok_or_else(|| unreadable(usize::from(bits), "unknown methods"))?
        },
        failures: columns.value()?,
    };
    columns.with_mac(session)
}

/// Runs a statement whose parameters are the columns of the table, in their order.
fn execute_with_columns(db: &Db, sql: &str, session: &Session) -> rusqlite::Result<()> {
    let previous = session.previous.as_ref();
    db.prepare_cached(sql)?.execute(params![
        session.realm.as_str(),
        session.id.as_bytes(),
        session.user.as_bytes(),
        signed(session.credentials_version),
        session.user_agent.as_bytes(),
        session.address.as_bytes(),
        session.authenticated_at.as_millis(),
        session.created_at.as_millis(),
        session.last_used_at.as_millis(),
        session.idle_expires_at.as_millis(),
        session.expires_at.as_millis(),
        session.current.as_bytes(),
        previous.map(|previous| previous.token.as_bytes()),
        previous.map(|previous| previous.at.as_millis()),
        previous.map(|previous| previous.successor),
        signed(session.version),
        session.methods.bits(),
        session.failures,
        db.sign(session),
    ])?;
    Ok(())
}

pub fn insert(db: &Db, session: &Session) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO sessions (realm, id, {COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
    );
    execute_with_columns(db, &sql, session)
}

fn update(db: &Db, session: &Session) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE sessions SET ({COLUMNS}) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) \
         WHERE realm = ?1 AND id = ?2"
    );
    execute_with_columns(db, &sql, session)
}

/// Compare-and-swap of a session by its version.
pub fn replace(db: &Db, session: &Session, expected: u64) -> rusqlite::Result<Result<(), Refusal>> {
    let mut statement = db.prepare_cached("SELECT version FROM sessions WHERE realm = ?1 AND id = ?2")?;
    let key = params![session.realm.as_str(), session.id.as_bytes()];
    match statement.query_row(key, |row| row.get::<_, i64>(0)).optional()? {
        None => Ok(Err(Refusal::SessionGone)),
        Some(version) if version != signed(expected) => Ok(Err(Refusal::SessionStale)),
        Some(_) => update(db, session).map(Ok),
    }
}

/// Ends a session.
pub fn end(db: &Db, realm: &Realm, id: &SessionId) -> rusqlite::Result<Result<(), Refusal>> {
    let mut statement = db.prepare_cached("DELETE FROM sessions WHERE realm = ?1 AND id = ?2")?;
    let ended = statement.execute(params![realm.as_str(), id.as_bytes()])? > 0;
    Ok(if ended { Ok(()) } else { Err(Refusal::SessionGone) })
}

/// Ends every session of a user except one. Returns their number.
pub fn end_all(db: &Db, realm: &Realm, user: &UserId, except: Option<SessionId>) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM sessions WHERE realm = ?1 AND user_id = ?2 AND (?3 IS NULL OR id <> ?3)";
    let except = except.map(|id| *id.as_bytes());
    db.prepare_cached(sql)?.execute(params![realm.as_str(), user.as_bytes(), except]).map(|ended| ended as u64)
}

#[async_trait]
impl SessionStore for Sqlite {
    async fn find(&self, realm: &Realm, id: &SessionId) -> Result<Option<Session>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!("SELECT realm, id, {COLUMNS} FROM sessions WHERE realm = ?1 AND id = ?2");
            let key = params![realm.as_str(), id.as_bytes()];
            db.find_named(&sql, key, read, |session: &Session| session.realm == *realm && session.id == *id)
        })
    }

    async fn find_with_account(
        &self,
        realm: &Realm,
        session: &SessionId,
        user: &UserId,
    ) -> Result<Option<(Session, User)>, PortError> {
        self.readers.read(PORT, |db| {
            let mut statement = db.prepare_cached(&WITH_ACCOUNT)?;
            let both = statement.query_row(params![realm.as_str(), session.as_bytes(), user.as_bytes()], |row| {
                let mut columns = Columns::of(row);
                let session = read_rest(realm.clone(), *session, &mut columns)?;
                Ok((session, user_store::read_rest(realm.clone(), *user, &mut columns)?))
            });
            let Some((session, user)) = both.optional()? else { return Ok(None) };
            Ok(Some((db.verify(session)?, db.verify(user)?)))
        })
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<Session>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {COLUMNS} FROM sessions WHERE realm = ?1 AND user_id = ?2 ORDER BY created_at, id"
            );
            db.find_all(&sql, params![realm.as_str(), user.as_bytes()], read)
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM sessions WHERE rowid IN \
                   (SELECT rowid FROM sessions WHERE min(idle_expires_at, expires_at) <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
