//! [`UndoStore`] on SQLite. The writer is one thread: what reads and writes in one change is one step.

use async_trait::async_trait;
use portcullis_core::model::ids::{UndoId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord, UndoableChange};
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::undo_store::UndoStore;
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{Columns, digests_of, has_digest, signed, unreadable};

const PORT: &str = "undo_store";
pub const COLUMNS: &str =
    "realm, id, user_id, change, version, former, reserved, token, tries_left, used, created_at, expires_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<UndoRecord>> {
    let mut columns = Columns::of(row);
    let (realm, id) = (columns.realm()?, UndoId::from_bytes(columns.id()?));
    let user = UserId::from_bytes(columns.id()?);
    let change = columns.value::<String>()?;
    let undo = UndoRecord {
        realm,
        id,
        user,
        change: UndoableChange::parse(&change).ok_or_else(|| unreadable(3, "an unknown kind of change"))?,
        version: columns.number()?,
        former: columns.sealed()?,
        reserved: columns.ring_digest_if_any()?,
        token: columns.digest_if_any()?,
        tries_left: columns.value()?,
        used: columns.value()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    };
    columns.with_mac(undo)
}

/// Stores a record, in the place of the one with its id.
pub fn put(db: &Db, undo: &UndoRecord) -> rusqlite::Result<()> {
    let sql = format!(
        "REPLACE INTO undo_records ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    db.prepare_cached(&sql)?.execute(params![
        undo.realm.as_str(),
        undo.id.as_bytes(),
        undo.user.as_bytes(),
        undo.change.as_str(),
        signed(undo.version),
        undo.former.as_bytes(),
        undo.reserved.as_ref().map(RingDigest::to_bytes),
        undo.token.as_ref().map(Digest::as_bytes),
        undo.tries_left,
        undo.used,
        undo.created_at.as_millis(),
        undo.expires_at.as_millis(),
        db.sign(undo),
    ])?;
    Ok(())
}

/// The unexpired record of an id.
fn by_id(db: &Db, realm: &Realm, id: &UndoId, now: Timestamp) -> rusqlite::Result<Option<UndoRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM undo_records WHERE realm = ?1 AND id = ?2 AND expires_at > ?3");
    let which = params![realm.as_str(), id.as_bytes(), now.as_millis()];
    db.find_named(&sql, which, read, |found: &UndoRecord| found.realm == *realm && found.id == *id)
}

/// The youngest unexpired record that reserves an address.
fn reservation(db: &Db, realm: &Realm, email: &RingDigest, now: Timestamp) -> rusqlite::Result<Option<UndoRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM undo_records WHERE realm = ?1 AND {} AND expires_at > ?4 \
         ORDER BY expires_at DESC, version DESC LIMIT 1",
        has_digest("reserved", [2, 3])
    );
    let [first, second] = digests_of(email);
    let which = params![realm.as_str(), first, second, now.as_millis()];
    let reserves = |found: &UndoRecord| found.reserved.is_some_and(|reserved| reserved.same_input(email));
    db.find_named(&sql, which, read, |found: &UndoRecord| found.realm == *realm && reserves(found))
}

/// The records of an account, the oldest change first.
fn of_user(db: &Db, realm: &Realm, user: &UserId) -> rusqlite::Result<Vec<UndoRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM undo_records WHERE realm = ?1 AND user_id = ?2 ORDER BY version, id");
    db.find_all(&sql, params![realm.as_str(), user.as_bytes()], read)
}

/// Applies the changes of undo records; `Ok` for a change of anything else.
pub fn apply(db: &Db, change: &Change) -> rusqlite::Result<Result<(), Refusal>> {
    match change {
        Change::CheckReservation { realm, email, user, now } => match reservation(db, realm, email, *now)? {
            Some(undo) if undo.user != *user => Ok(Err(Refusal::EmailTaken)),
            _ => Ok(Ok(())),
        },
        Change::LimitUndos { realm, user, limit, now } => {
            let sql = "SELECT count(*) FROM undo_records \
                       WHERE realm = ?1 AND user_id = ?2 AND used = 0 AND expires_at > ?3";
            let which = params![realm.as_str(), user.as_bytes(), now.as_millis()];
            let stored: i64 = db.prepare_cached(sql)?.query_row(which, |row| row.get(0))?;
            Ok(if stored >= i64::from(*limit) { Err(Refusal::UndoLimit) } else { Ok(()) })
        }
        Change::InsertUndo(undo) => put(db, undo).map(Ok),
        // an expired one too: no time is before the epoch
        Change::ReindexUndo { realm, id, reserved } => match by_id(db, realm, id, Timestamp::from_millis(0))? {
            Some(undo) if undo.reserved.is_some() => put(db, &UndoRecord { reserved: Some(*reserved), ..undo }).map(Ok),
            _ => Ok(Ok(())),
        },
        Change::SetUndoToken { realm, id, token, now } => match by_id(db, realm, id, *now)? {
            Some(undo) if !undo.used => put(db, &UndoRecord { token: Some(*token), ..undo }).map(Ok),
            _ => Ok(Err(Refusal::UndoGone)),
        },
        Change::UseUndo { realm, id, token, now } => match by_id(db, realm, id, *now)? {
            Some(undo) if !undo.used && undo.token.is_some_and(|stored| stored.matches(token)) => {
                let all = of_user(db, realm, &undo.user)?.into_iter();
                for ended in all.filter(|ended| ended.version >= undo.version) {
                    put(db, &UndoRecord { used: true, ..ended })?;
                }
                Ok(Ok(()))
            }
            _ => Ok(Err(Refusal::UndoGone)),
        },
        Change::RemoveUndos { realm, user } => {
            let mut statement = db.prepare_cached("DELETE FROM undo_records WHERE realm = ?1 AND user_id = ?2")?;
            statement.execute(params![realm.as_str(), user.as_bytes()]).map(|_| Ok(()))
        }
        _ => Ok(Ok(())),
    }
}

#[async_trait]
impl UndoStore for Sqlite {
    async fn find(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<Option<UndoRecord>, PortError> {
        self.readers.read(PORT, |db| by_id(db, realm, id, now))
    }

    async fn find_by_token(
        &self,
        realm: &Realm,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM undo_records WHERE realm = ?1 AND token = ?2 AND expires_at > ?3 AND used = 0"
            );
            let which = params![realm.as_str(), token.as_bytes(), now.as_millis()];
            let is_it = |found: &UndoRecord| found.realm == *realm && found.token == Some(*token);
            db.find_named(&sql, which, read, is_it)
        })
    }

    async fn find_reservation(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        self.readers.read(PORT, |db| reservation(db, realm, email, now))
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<UndoRecord>, PortError> {
        self.readers.read(PORT, |db| of_user(db, realm, user))
    }

    async fn take_try(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<bool, PortError> {
        let (realm, id) = (realm.clone(), *id);
        let write = move |db: &Db| match by_id(db, &realm, &id, now)? {
            Some(undo) if !undo.used && undo.tries_left > 0 => {
                put(db, &UndoRecord { tries_left: undo.tries_left - 1, ..undo }).map(|()| true)
            }
            _ => Ok(false),
        };
        self.writer.write(PORT, write).await
    }

    async fn give_try_back(&self, realm: &Realm, id: &UndoId) -> Result<(), PortError> {
        let (realm, id) = (realm.clone(), *id);
        let write = move |db: &Db| {
            // also where it has expired meanwhile: no time is before the epoch
            let Some(undo) = by_id(db, &realm, &id, Timestamp::from_millis(0))? else { return Ok(()) };
            let tries_left = undo.tries_left.saturating_add(1).min(UNDO_TRIES);
            put(db, &UndoRecord { tries_left, ..undo })
        };
        self.writer.write(PORT, write).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM undo_records WHERE (realm, id) IN \
                   (SELECT realm, id FROM undo_records WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
