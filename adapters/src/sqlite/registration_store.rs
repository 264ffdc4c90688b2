//! [`RegistrationStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::job::JobSubject;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::registration_store::RegistrationStore;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::sqlite::key_slots;
use crate::sqlite::rows::{Columns, PERSON, PERSON_WITH_KEY};
use crate::sqlite::{Sqlite, job_queue, one_time_token_store};

const PORT: &str = "registration_store";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Registration> {
    let mut columns = Columns::of(row);
    Ok(Registration {
        realm: columns.realm()?,
        id: UserId::from_bytes(columns.id()?),
        person: columns.person()?,
        password: columns.password()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    })
}

pub fn insert(db: &Connection, registration: &Registration) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO registrations (realm, id, {PERSON}, password, created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    let person = &registration.person;
    let slot = key_slots::insert(db, &person.key)?;
    db.prepare_cached(&sql)?.execute(params![
        registration.realm.as_str(),
        registration.id.as_bytes(),
        person.email_index.as_bytes(),
        slot,
        person.first_name.as_bytes(),
        person.last_name.as_bytes(),
        person.email.as_bytes(),
        person.phone.as_bytes(),
        person.country_code.as_bytes(),
        person.country.as_bytes(),
        registration.password.as_str(),
        registration.created_at.as_millis(),
        registration.expires_at.as_millis(),
    ])?;
    Ok(())
}

/// Stores a registration unless `limit` unexpired ones of its address are pending.
pub fn insert_new(
    db: &Connection,
    registration: &Registration,
    limit: u32,
    now: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    let pending = "SELECT count(*) FROM registrations WHERE realm = ?1 AND email_index = ?2 AND expires_at > ?3";
    let of = params![registration.realm.as_str(), registration.person.email_index.as_bytes(), now.as_millis()];
    let pending: i64 = db.prepare_cached(pending)?.query_row(of, |row| row.get(0))?;
    if pending >= i64::from(limit) {
        return Ok(Err(Refusal::RegistrationsFull));
    }
    insert(db, registration).map(Ok)
}

/// Moves the expiry of an unexpired registration.
pub fn extend(
    db: &Connection,
    realm: &Realm,
    id: &UserId,
    expires_at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    let sql = "UPDATE registrations SET expires_at = ?3 WHERE realm = ?1 AND id = ?2 AND expires_at > ?4";
    let which = params![realm.as_str(), id.as_bytes(), expires_at.as_millis(), now.as_millis()];
    let extended = db.prepare_cached(sql)?.execute(which)? > 0;
    Ok(if extended { Ok(()) } else { Err(Refusal::RegistrationGone) })
}

/// Removes the one-time tokens and jobs of a registration.
fn forget(db: &Connection, realm: &Realm, id: &UserId) -> rusqlite::Result<()> {
    one_time_token_store::remove_all(db, realm, id)?;
    job_queue::forget(db, realm, &JobSubject::Subject(*id))
}

/// Removes a registration with its one-time tokens and jobs.
pub fn remove(db: &Connection, realm: &Realm, id: &UserId) -> rusqlite::Result<()> {
    forget(db, realm, id)?;
    let mut statement = db.prepare_cached("DELETE FROM registrations WHERE realm = ?1 AND id = ?2")?;
    statement.execute(params![realm.as_str(), id.as_bytes()]).map(|_| ())
}

/// Removes every registration of an address with their one-time tokens and jobs; their ids.
pub fn remove_all(db: &Connection, realm: &Realm, email: &Digest) -> rusqlite::Result<Vec<UserId>> {
    let sql = "DELETE FROM registrations WHERE realm = ?1 AND email_index = ?2 RETURNING id";
    let mut statement = db.prepare_cached(sql)?;
    let which = params![realm.as_str(), email.as_bytes()];
    let removed = statement.query_map(which, |row| row.get(0).map(UserId::from_bytes))?;
    let removed = removed.collect::<rusqlite::Result<Vec<UserId>>>()?;
    for id in &removed {
        forget(db, realm, id)?;
    }
    Ok(removed)
}

#[async_trait]
impl RegistrationStore for Sqlite {
    async fn find(&self, realm: &Realm, id: &UserId, now: Timestamp) -> Result<Option<Registration>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {PERSON_WITH_KEY}, password, created_at, expires_at FROM registrations \
                 JOIN keys ON slot = key_slot WHERE realm = ?1 AND id = ?2 AND expires_at > ?3"
            );
            let which = params![realm.as_str(), id.as_bytes(), now.as_millis()];
            db.prepare_cached(&sql)?.query_row(which, read).optional()
        })
    }

    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &Digest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {PERSON_WITH_KEY}, password, created_at, expires_at FROM registrations \
                 JOIN keys ON slot = key_slot WHERE realm = ?1 AND email_index = ?2 AND expires_at > ?3 ORDER BY created_at, id"
            );
            let which = params![realm.as_str(), email.as_bytes(), now.as_millis()];
            db.prepare_cached(&sql)?.query_map(which, read)?.collect()
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM registrations WHERE rowid IN \
                   (SELECT rowid FROM registrations WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
