//! [`OneTimeTokenStore`] on SQLite. The writer is one thread: what reads and writes in one change is one step.

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeAttempt, CodeLookup, OneTimeTokenStore};
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{Columns, unreadable};

const PORT: &str = "one_time_token_store";
pub const COLUMNS: &str = "realm, purpose, subject, token, code, tries_left, binding, created_at, expires_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<OneTimeToken>> {
    let mut columns = Columns::of(row);
    let realm = columns.realm()?;
    let purpose = Purpose::parse(&columns.value::<String>()?).ok_or_else(|| unreadable(1, "an unknown purpose"))?;
    let token = OneTimeToken {
        holder: TokenOwner { realm, purpose, subject: UserId::from_bytes(columns.id()?) },
        token: columns.digest()?,
        code: columns.digest_if_any()?,
        tries_left: columns.value()?,
        binding: columns.digest_if_any()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    };
    columns.with_mac(token)
}

fn by_token(
    db: &Db,
    realm: &Realm,
    purpose: Purpose,
    token: &Digest,
    now: Timestamp,
) -> rusqlite::Result<Option<OneTimeToken>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM one_time_tokens WHERE realm = ?1 AND purpose = ?2 AND token = ?3 AND expires_at > ?4"
    );
    let which = params![realm.as_str(), purpose.as_str(), token.as_bytes(), now.as_millis()];
    db.find_named(&sql, which, read, |found: &OneTimeToken| {
        found.holder.realm == *realm && found.holder.purpose == purpose && found.token == *token
    })
}

fn by_holder(db: &Db, holder: &TokenOwner, now: Timestamp) -> rusqlite::Result<Option<OneTimeToken>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM one_time_tokens WHERE realm = ?1 AND subject = ?2 AND purpose = ?3 AND expires_at > ?4"
    );
    let (realm, subject) = (holder.realm.as_str(), holder.subject.as_bytes());
    let which = params![realm, subject, holder.purpose.as_str(), now.as_millis()];
    db.find_named(&sql, which, read, |found: &OneTimeToken| found.holder == *holder)
}

pub fn put(db: &Db, token: &OneTimeToken) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO one_time_tokens ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    let holder = &token.holder;
    db.prepare_cached(&sql)?.execute(params![
        holder.realm.as_str(),
        holder.purpose.as_str(),
        holder.subject.as_bytes(),
        token.token.as_bytes(),
        token.code.as_ref().map(Digest::as_bytes),
        token.tries_left,
        token.binding.as_ref().map(Digest::as_bytes),
        token.created_at.as_millis(),
        token.expires_at.as_millis(),
        db.sign(token),
    ])?;
    Ok(())
}

pub fn remove(db: &Db, holder: &TokenOwner) -> rusqlite::Result<()> {
    let sql = "DELETE FROM one_time_tokens WHERE realm = ?1 AND subject = ?2 AND purpose = ?3";
    let which = params![holder.realm.as_str(), holder.subject.as_bytes(), holder.purpose.as_str()];
    db.prepare_cached(sql)?.execute(which).map(|_| ())
}

/// Removes every token of a user or registration.
pub fn remove_all(db: &Db, realm: &Realm, subject: &UserId) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("DELETE FROM one_time_tokens WHERE realm = ?1 AND subject = ?2")?;
    statement.execute(params![realm.as_str(), subject.as_bytes()]).map(|_| ())
}

/// The unexpired token of an owner, if it is the one of that digest.
fn owned(
    db: &Db,
    owner: &TokenOwner,
    token: &Digest,
    now: Timestamp,
) -> rusqlite::Result<Result<OneTimeToken, Refusal>> {
    let found = by_holder(db, owner, now)?.filter(|found| found.token.matches(token));
    Ok(found.ok_or(Refusal::TokenGone))
}

/// Uses a token up.
pub fn consume(db: &Db, owner: &TokenOwner, token: &Digest, now: Timestamp) -> rusqlite::Result<Result<(), Refusal>> {
    match owned(db, owner, token, now)? {
        Ok(_) => remove(db, owner).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Sets the code of a token.
pub fn set_code(
    db: &Db,
    (owner, token): (&TokenOwner, &Digest),
    (code, tries): (Digest, u8),
    now: Timestamp,
) -> rusqlite::Result<Result<(), Refusal>> {
    match owned(db, owner, token, now)? {
        Ok(found) => put(db, &OneTimeToken { code: Some(code), tries_left: tries, ..found }).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

#[async_trait]
impl OneTimeTokenStore for Sqlite {
    async fn find_valid(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.readers.read(PORT, |db| by_token(db, realm, purpose, token, now))
    }

    async fn find(&self, holder: &TokenOwner, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.readers.read(PORT, |db| by_holder(db, holder, now))
    }

    async fn try_code(&self, of: &CodeLookup, code: &Digest, now: Timestamp) -> Result<CodeAttempt, PortError> {
        let (of, code) = (of.clone(), *code);
        let write = move |db: &Db| {
            let found = match &of {
                CodeLookup::Token(realm, purpose, token) => by_token(db, realm, *purpose, token, now)?,
                CodeLookup::Owner(holder) => by_holder(db, holder, now)?,
            };
            let Some(mut found) = found.filter(|found| found.code.is_some() && found.tries_left > 0) else {
                return Ok(CodeAttempt::Dead);
            };
            found.tries_left -= 1;
            put(db, &found)?;
            let right = found.code.is_some_and(|right| right.matches(&code));
            Ok(if right { CodeAttempt::Right(found) } else { CodeAttempt::Wrong(found.holder) })
        };
        self.writer.write(PORT, write).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM one_time_tokens WHERE (realm, subject, purpose) IN \
                   (SELECT realm, subject, purpose FROM one_time_tokens WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
