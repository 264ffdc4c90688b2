//! [`RegistrationStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::job::JobSubject;
use portcullis_core::model::pending_registrations::add_registration;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{RingDigest, Sealed};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::registration_store::RegistrationStore;
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::db::Db;
use crate::sqlite::key_slots;
use crate::sqlite::rows::{Columns, PERSON, PERSON_WITH_KEY, digests_of, has_digest};
use crate::sqlite::{Sqlite, job_queue, one_time_token_store};

const PORT: &str = "registration_store";
pub const REST: &str = "password, created_at, expires_at, network, contested, failures, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<Registration>> {
    let mut columns = Columns::of(row);
    let registration = Registration {
        realm: columns.realm()?,
        id: UserId::from_bytes(columns.id()?),
        person: columns.person()?,
        password: columns.sealed()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
        network: columns.digest()?,
        contested: columns.flag()?,
        failures: columns.value()?,
    };
    columns.with_mac(registration)
}

pub fn insert(db: &Db, registration: &Registration) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO registrations (realm, id, {PERSON}, {REST}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
    );
    let person = &registration.person;
    let slot = key_slots::insert(db, &person.key)?;
    db.prepare_cached(&sql)?.execute(params![
        registration.realm.as_str(),
        registration.id.as_bytes(),
        person.email_index.to_bytes(),
        slot,
        person.first_name.as_bytes(),
        person.last_name.as_bytes(),
        person.email.as_bytes(),
        person.phone.as_bytes(),
        person.country_code.as_bytes(),
        person.country.as_bytes(),
        person.locale.as_ref().map(Sealed::as_bytes),
        registration.password.as_bytes(),
        registration.created_at.as_millis(),
        registration.expires_at.as_millis(),
        registration.network.as_bytes(),
        registration.contested,
        registration.failures,
        db.sign(registration),
    ])?;
    Ok(())
}

fn pending(db: &Db, realm: &Realm, email: &RingDigest, now: Timestamp) -> rusqlite::Result<Vec<Registration>> {
    let sql = format!(
        "SELECT realm, id, {PERSON_WITH_KEY}, {REST} FROM registrations JOIN keys ON slot = key_slot \
         WHERE realm = ?1 AND {} AND expires_at > ?4 ORDER BY created_at, id",
        has_digest("email_index", [2, 3])
    );
    let [first, second] = digests_of(email);
    let which = params![realm.as_str(), first, second, now.as_millis()];
    let mut pending = db.find_all(&sql, which, read)?;
    pending.retain(|found: &Registration| found.realm == *realm && found.person.email_index.same_input(email));
    Ok(pending)
}

/// Stores a registration beside the unexpired ones of its address. Returns the one that it replaces.
pub fn insert_new(db: &Db, registration: Registration, limit: u32, now: Timestamp) -> rusqlite::Result<Option<UserId>> {
    let (realm, email) = (registration.realm.clone(), registration.person.email_index);
    let mut pending = pending(db, &realm, &email, now)?;
    let removed = add_registration(&mut pending, registration, usize::try_from(limit).unwrap_or(usize::MAX));
    if let Some(removed) = removed {
        remove(db, &realm, &removed)?;
    }
    let Some((new, others)) = pending.split_last() else { return Ok(removed) };
    others.iter().try_for_each(|other| update(db, other))?;
    insert(db, new)?;
    Ok(removed)
}

/// Stores what changes of a registration while it waits.
fn update(db: &Db, registration: &Registration) -> rusqlite::Result<()> {
    let sql = "UPDATE registrations SET contested = ?3, failures = ?4, mac = ?5 WHERE realm = ?1 AND id = ?2";
    let Registration { realm, id, contested, failures, .. } = registration;
    let all = params![realm.as_str(), id.as_bytes(), contested, failures, db.sign(registration)];
    db.prepare_cached(sql)?.execute(all).map(|_| ())
}

fn by_id(db: &Db, realm: &Realm, id: &UserId) -> rusqlite::Result<Option<Registration>> {
    let sql = format!(
        "SELECT realm, id, {PERSON_WITH_KEY}, {REST} FROM registrations \
         JOIN keys ON slot = key_slot WHERE realm = ?1 AND id = ?2"
    );
    let which = params![realm.as_str(), id.as_bytes()];
    db.find_named(&sql, which, read, |found: &Registration| found.realm == *realm && found.id == *id)
}

/// Counts a wrong password, and removes the registration with the last one allowed.
pub fn count_failure(db: &Db, realm: &Realm, id: &UserId, limit: u8) -> rusqlite::Result<Result<(), Refusal>> {
    let Some(found) = by_id(db, realm, id)? else { return Ok(Err(Refusal::RegistrationGone)) };
    let failures = found.failures.saturating_add(1);
    if failures >= limit {
        return remove(db, realm, id).map(Ok);
    }
    update(db, &Registration { failures, ..found }).map(Ok)
}

/// Replaces the blind index of a registration, if it exists.
pub fn reindex(db: &Db, realm: &Realm, id: &UserId, email: RingDigest) -> rusqlite::Result<()> {
    let Some(mut found) = by_id(db, realm, id)? else { return Ok(()) };
    found.person.email_index = email;
    let sql = "UPDATE registrations SET email_index = ?3, mac = ?4 WHERE realm = ?1 AND id = ?2";
    let all = params![realm.as_str(), id.as_bytes(), email.to_bytes(), db.sign(&found)];
    db.prepare_cached(sql)?.execute(all).map(|_| ())
}

/// Removes the one-time tokens and jobs of a registration.
fn forget(db: &Db, realm: &Realm, id: &UserId) -> rusqlite::Result<()> {
    one_time_token_store::remove_all(db, realm, id)?;
    job_queue::forget(db, realm, &JobSubject::Subject(*id))
}

/// Removes a registration with its one-time tokens and jobs.
pub fn remove(db: &Db, realm: &Realm, id: &UserId) -> rusqlite::Result<()> {
    forget(db, realm, id)?;
    let mut statement = db.prepare_cached("DELETE FROM registrations WHERE realm = ?1 AND id = ?2")?;
    statement.execute(params![realm.as_str(), id.as_bytes()]).map(|_| ())
}

/// Removes every registration of an address with their one-time tokens and jobs; their ids.
pub fn remove_all(db: &Db, realm: &Realm, email: &RingDigest) -> rusqlite::Result<Vec<UserId>> {
    let condition = has_digest("email_index", [2, 3]);
    let sql = format!("DELETE FROM registrations WHERE realm = ?1 AND {condition} RETURNING id");
    let mut statement = db.prepare_cached(&sql)?;
    let [first, second] = digests_of(email);
    let which = params![realm.as_str(), first, second];
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
        let found = self.readers.read(PORT, |db| by_id(db, realm, id))?;
        Ok(found.filter(|found| found.expires_at > now))
    }

    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError> {
        self.readers.read(PORT, |db| pending(db, realm, email, now))
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM registrations WHERE rowid IN \
                   (SELECT rowid FROM registrations WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
