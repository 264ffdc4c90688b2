//! [`UserStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, Sealed};
use portcullis_core::model::user::{PendingEmail, User};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{InsertUser, ReplaceUser, UserStore};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};

use crate::embedded::Embedded;
use crate::embedded::rows::{Columns, PERSON, signed};

const PORT: &str = "user_store";
const REST: &str = "pending_index, pending_email, previous_email, password, phone_verified, mfa_sms, disabled, \
                    generation, version, created_at, updated_at";

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    let mut columns = Columns::of(row);
    let (realm, id, person) = (columns.realm()?, UserId::from_bytes(columns.id()?), columns.person()?);
    let (pending_index, pending_email) = (columns.digest_if_any()?, columns.sealed_if_any()?);
    Ok(User {
        realm,
        id,
        person,
        pending_email: pending_index.zip(pending_email).map(|(index, email)| PendingEmail { index, email }),
        previous_email: columns.sealed_if_any()?,
        password: columns.password()?,
        phone_verified: columns.value()?,
        mfa_sms: columns.value()?,
        disabled: columns.value()?,
        generation: columns.number()?,
        version: columns.number()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

fn insert(db: &Connection, user: &User, verb: &str) -> rusqlite::Result<usize> {
    let sql = format!(
        "{verb} INTO users (realm, id, {PERSON}, {REST}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
         ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
    );
    let person = &user.person;
    let pending = user.pending_email.as_ref();
    db.prepare_cached(&sql)?.execute(params![
        user.realm.as_str(),
        user.id.as_bytes(),
        person.email_index.as_bytes(),
        person.key.as_bytes(),
        person.first_name.as_bytes(),
        person.last_name.as_bytes(),
        person.email.as_bytes(),
        person.phone.as_bytes(),
        person.country_code.as_bytes(),
        person.country.as_bytes(),
        pending.map(|pending| pending.index.as_bytes()),
        pending.map(|pending| pending.email.as_bytes()),
        user.previous_email.as_ref().map(Sealed::as_bytes),
        user.password.as_str(),
        user.phone_verified,
        user.mfa_sms,
        user.disabled,
        signed(user.generation),
        signed(user.version),
        user.created_at.as_millis(),
        user.updated_at.as_millis(),
    ])
}

/// Whether a unique index refused.
fn is_conflict(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn version_of(db: &Connection, realm: &Realm, id: &UserId) -> rusqlite::Result<Option<i64>> {
    let mut statement = db.prepare_cached("SELECT version FROM users WHERE realm = ?1 AND id = ?2")?;
    statement.query_row(params![realm.as_str(), id.as_bytes()], |row| row.get(0)).optional()
}

#[async_trait]
impl UserStore for Embedded {
    async fn insert(&self, user: User) -> Result<InsertUser, PortError> {
        let write = move |db: &Connection| match insert(db, &user, "INSERT") {
            Ok(_) => Ok(InsertUser::Inserted),
            Err(error) if is_conflict(&error) => {
                let taken = version_of(db, &user.realm, &user.id)?.is_some();
                Ok(if taken { InsertUser::IdTaken } else { InsertUser::EmailTaken })
            }
            Err(error) => Err(error),
        };
        self.writer.write(PORT, write).await
    }

    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!("SELECT realm, id, {PERSON}, {REST} FROM users WHERE realm = ?1 AND id = ?2");
            db.prepare_cached(&sql)?.query_row(params![realm.as_str(), id.as_bytes()], read).optional()
        })
    }

    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!("SELECT realm, id, {PERSON}, {REST} FROM users WHERE realm = ?1 AND email_index = ?2");
            db.prepare_cached(&sql)?.query_row(params![realm.as_str(), email.as_bytes()], read).optional()
        })
    }

    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError> {
        let write = move |db: &Connection| {
            match version_of(db, &user.realm, &user.id)? {
                None => return Ok(ReplaceUser::Gone),
                Some(version) if version != signed(expected) => return Ok(ReplaceUser::Stale),
                Some(_) => {}
            }
            let taken = "SELECT 1 FROM users WHERE realm = ?1 AND email_index = ?2 AND id <> ?3";
            let who = params![user.realm.as_str(), user.person.email_index.as_bytes(), user.id.as_bytes()];
            if db.prepare_cached(taken)?.exists(who)? {
                return Ok(ReplaceUser::EmailTaken);
            }
            insert(db, &user, "REPLACE")?;
            Ok(ReplaceUser::Replaced)
        };
        self.writer.write(PORT, write).await
    }

    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        let (realm, id) = (realm.clone(), *id);
        let write = move |db: &Connection| {
            let mut statement = db.prepare_cached("DELETE FROM users WHERE realm = ?1 AND id = ?2")?;
            Ok(statement.execute(params![realm.as_str(), id.as_bytes()])? > 0)
        };
        let deleted = self.writer.write(PORT, write).await?;
        // the log still has the key: fold it in, where secure_delete has overwritten it
        self.writer.checkpoint(PORT).await?;
        Ok(deleted)
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.readers.read(PORT, |db| db.query_row("SELECT count(*) FROM checks", [], |_| Ok(())))
    }
}
