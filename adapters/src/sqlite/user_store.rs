//! [`UserStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{RingDigest, Sealed};
use portcullis_core::model::user::{PendingEmail, User};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{AccountPage, UserStore};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::key_slots;
use crate::sqlite::rows::{Columns, PERSON, PERSON_WITH_KEY, digests_of, has_digest, signed};

const PORT: &str = "user_store";
const REST: &str = "pending_index, pending_email, previous_email, password, phone_verified, mfa_sms, totp, \
                    pending_totp, backup_codes, passkeys, devices, disabled, roles, credentials_version, version, created_at, \
                    updated_at, mac";

/// What `read` reads, where `keys` is joined.
pub fn columns() -> String {
    format!("realm, id, {}", other_columns())
}

/// What `read_rest` reads, where `keys` is joined.
pub fn other_columns() -> String {
    format!("{PERSON_WITH_KEY}, {REST}")
}

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<User>> {
    let mut columns = Columns::of(row);
    let (realm, id) = (columns.realm()?, UserId::from_bytes(columns.id()?));
    read_rest(realm, id, &mut columns)
}

/// The other columns, from the next one on.
pub fn read_rest(realm: Realm, id: UserId, columns: &mut Columns<'_, '_>) -> rusqlite::Result<Stored<User>> {
    let person = columns.person()?;
    let (pending_index, pending_email) = (columns.ring_digest_if_any()?, columns.sealed_if_any()?);
    let parts = [pending_index.is_some(), pending_email.is_some()];
    let pending_email = pending_index.zip(pending_email).map(|(index, email)| PendingEmail { index, email });
    let user = User {
        realm,
        id,
        person,
        pending_email: columns.together(&parts, pending_email)?,
        previous_email: columns.sealed_if_any()?,
        password: columns.sealed()?,
        phone_verified: columns.flag()?,
        mfa_sms: columns.flag()?,
        factors: SealedFactors {
            totp: columns.sealed_if_any()?,
            pending_totp: columns.sealed_if_any()?,
            backup_codes: columns.sealed_if_any()?,
            passkeys: columns.sealed_if_any()?,
            devices: columns.sealed_if_any()?,
        },
        disabled: columns.flag()?,
        roles: columns.roles()?,
        credentials_version: columns.number()?,
        version: columns.number()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    };
    columns.with_mac(user)
}

/// Runs a statement whose parameters are the columns of the table, in their order.
fn put(db: &Db, sql: &str, user: &User, slot: i64) -> rusqlite::Result<()> {
    let (person, pending, factors) = (&user.person, user.pending_email.as_ref(), &user.factors);
    let changed = db.prepare_cached(sql)?.execute(params![
        user.realm.as_str(),
        user.id.as_bytes(),
        person.email_index.to_bytes(),
        slot,
        person.first_name.as_bytes(),
        person.last_name.as_bytes(),
        person.email.as_bytes(),
        person.phone.as_bytes(),
        person.country_code.as_bytes(),
        person.country.as_bytes(),
        person.locale.as_ref().map(Sealed::as_bytes),
        pending.map(|pending| pending.index.to_bytes()),
        pending.map(|pending| pending.email.as_bytes()),
        user.previous_email.as_ref().map(Sealed::as_bytes),
        user.password.as_bytes(),
        user.phone_verified,
        user.mfa_sms,
        factors.totp.as_ref().map(Sealed::as_bytes),
        factors.pending_totp.as_ref().map(Sealed::as_bytes),
        factors.backup_codes.as_ref().map(Sealed::as_bytes),
        factors.passkeys.as_ref().map(Sealed::as_bytes),
        factors.devices.as_ref().map(Sealed::as_bytes),
        user.disabled,
        user.roles.to_text(),
        signed(user.credentials_version),
        signed(user.version),
        user.created_at.as_millis(),
        user.updated_at.as_millis(),
        db.sign(user),
    ])?;
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

pub fn insert(db: &Db, user: &User) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO users (realm, id, {PERSON}, {REST}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
         ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)"
    );
    put(db, &sql, user, key_slots::insert(db, &user.person.key)?)
}

/// All of it but the key, which stays in its slot as it is.
fn update(db: &Db, user: &User, slot: i64) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE users SET ({PERSON}, {REST}) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
         ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29) WHERE realm = ?1 AND id = ?2"
    );
    put(db, &sql, user, slot)
}

fn exists(db: &Db, realm: &Realm, id: &UserId) -> rusqlite::Result<bool> {
    let mut statement = db.prepare_cached("SELECT 1 FROM users WHERE realm = ?1 AND id = ?2")?;
    statement.exists(params![realm.as_str(), id.as_bytes()])
}

/// Whether another user of the realm has the e-mail.
fn email_taken(db: &Db, user: &User) -> rusqlite::Result<bool> {
    let sql = format!("SELECT 1 FROM users WHERE realm = ?1 AND {} AND id <> ?4", has_digest("email_index", [2, 3]));
    let [first, second] = digests_of(&user.person.email_index);
    db.prepare_cached(&sql)?.exists(params![user.realm.as_str(), first, second, user.id.as_bytes()])
}

/// Stores a new account, unless its id or its e-mail is taken.
pub fn insert_new(db: &Db, user: &User) -> rusqlite::Result<Result<(), Refusal>> {
    if exists(db, &user.realm, &user.id)? {
        return Ok(Err(Refusal::IdTaken));
    }
    if email_taken(db, user)? {
        return Ok(Err(Refusal::EmailTaken));
    }
    insert(db, user).map(Ok)
}

/// The version and the slot of the key, if the version is the expected one.
fn expect(db: &Db, realm: &Realm, id: &UserId, expected: u64) -> rusqlite::Result<Result<i64, Refusal>> {
    let mut statement = db.prepare_cached("SELECT version, key_slot FROM users WHERE realm = ?1 AND id = ?2")?;
    let who = params![realm.as_str(), id.as_bytes()];
    let stored: Option<(i64, i64)> = statement.query_row(who, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(match stored {
        None => Err(Refusal::UserGone),
        Some((version, _)) if version != signed(expected) => Err(Refusal::UserStale),
        Some((_, slot)) => Ok(slot),
    })
}

/// Compare-and-swap of an account by its version.
pub fn replace(db: &Db, user: &User, expected: u64) -> rusqlite::Result<Result<(), Refusal>> {
    let slot = match expect(db, &user.realm, &user.id, expected)? {
        Ok(slot) => slot,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if email_taken(db, user)? {
        return Ok(Err(Refusal::EmailTaken));
    }
    update(db, user, slot).map(Ok)
}

/// Removes an account of the expected version. A trigger overwrites the slot of its key.
pub fn delete(db: &Db, realm: &Realm, id: &UserId, expected: u64) -> rusqlite::Result<Result<(), Refusal>> {
    if let Err(refusal) = expect(db, realm, id, expected)? {
        return Ok(Err(refusal));
    }
    let mut statement = db.prepare_cached("DELETE FROM users WHERE realm = ?1 AND id = ?2")?;
    statement.execute(params![realm.as_str(), id.as_bytes()]).map(|_| Ok(()))
}

#[async_trait]
impl UserStore for Sqlite {
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {PERSON_WITH_KEY}, {REST} FROM users JOIN keys ON slot = key_slot \
                 WHERE realm = ?1 AND id = ?2"
            );
            let which = params![realm.as_str(), id.as_bytes()];
            db.find_named(&sql, which, read, |user: &User| user.realm == *realm && user.id == *id)
        })
    }

    async fn find_by_email(&self, realm: &Realm, email: &RingDigest) -> Result<Option<User>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {PERSON_WITH_KEY}, {REST} FROM users JOIN keys ON slot = key_slot \
                 WHERE realm = ?1 AND {}",
                has_digest("email_index", [2, 3])
            );
            let [first, second] = digests_of(email);
            let which = params![realm.as_str(), first, second];
            let is_asked_for = |user: &User| user.realm == *realm && user.person.email_index.same_input(email);
            db.find_named(&sql, which, read, is_asked_for)
        })
    }

    async fn list(&self, realm: &Realm, after: Option<UserId>, limit: u32) -> Result<AccountPage, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!(
                "SELECT realm, id, {PERSON_WITH_KEY}, {REST} FROM users JOIN keys ON slot = key_slot \
                 WHERE realm = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
            );
            let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
            let mut statement = db.prepare_cached(&sql)?;
            let found =
                statement.query_map(params![realm.as_str(), after, limit], |row| Ok((row.get(1)?, read(row)?)))?;
            let found = found.collect::<rusqlite::Result<Vec<([u8; 16], Stored<User>)>>>()?;
            let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
            let next = found.last().filter(|_| full).map(|(id, _)| UserId::from_bytes(*id));
            let users = found.into_iter().filter_map(|(_, stored)| stored.verified(&db.macs).ok());
            Ok(AccountPage { users: users.filter(|user| user.realm == *realm).collect(), next })
        })
    }

    async fn has_passkeys(&self) -> Result<bool, PortError> {
        self.readers.read(PORT, |db| db.prepare_cached("SELECT 1 FROM users WHERE passkeys IS NOT NULL")?.exists([]))
    }

    async fn ping(&self) -> Result<(), PortError> {
        // both sides: a disk that takes nothing any more still answers from memory
        self.writer.flush(PORT).await?;
        self.writer.check_disk(PORT).await?;
        self.readers.read(PORT, |db| db.query_row("SELECT count(*) FROM checks", [], |_| Ok(())))
    }
}
