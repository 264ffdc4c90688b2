//! [`OneTimeTokenStore`] on SQLite. The writer is one thread: what reads and writes in one change is one step.

use async_trait::async_trait;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::one_time_token::{Holder, OneTimeToken, Purpose};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::one_time_token_store::{CodeOf, OneTimeTokenStore, TryCode};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::embedded::Embedded;
use crate::embedded::rows::{Columns, unreadable};

const PORT: &str = "one_time_token_store";
pub const COLUMNS: &str = "realm, purpose, subject, token, code, tries_left, binding, created_at, expires_at";

pub fn read(row: &Row<'_>) -> rusqlite::Result<OneTimeToken> {
    let mut columns = Columns::of(row);
    let realm = columns.realm()?;
    let purpose = Purpose::parse(&columns.value::<String>()?).ok_or_else(|| unreadable(1, "an unknown purpose"))?;
    Ok(OneTimeToken {
        holder: Holder { realm, purpose, subject: UserId::from_bytes(columns.id()?) },
        token: columns.digest()?,
        code: columns.digest_if_any()?,
        tries_left: columns.value()?,
        binding: columns.digest_if_any()?,
        created_at: columns.time()?,
        expires_at: columns.time()?,
    })
}

fn by_token(
    db: &Connection,
    realm: &Realm,
    purpose: Purpose,
    token: &Digest,
    now: Timestamp,
) -> rusqlite::Result<Option<OneTimeToken>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM one_time_tokens WHERE realm = ?1 AND purpose = ?2 AND token = ?3 AND expires_at > ?4"
    );
    let which = params![realm.as_str(), purpose.as_str(), token.as_bytes(), now.as_millis()];
    db.prepare_cached(&sql)?.query_row(which, read).optional()
}

fn by_holder(db: &Connection, holder: &Holder, now: Timestamp) -> rusqlite::Result<Option<OneTimeToken>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM one_time_tokens WHERE realm = ?1 AND subject = ?2 AND purpose = ?3 AND expires_at > ?4"
    );
    let (realm, subject) = (holder.realm.as_str(), holder.subject.as_bytes());
    let which = params![realm, subject, holder.purpose.as_str(), now.as_millis()];
    db.prepare_cached(&sql)?.query_row(which, read).optional()
}

pub fn put(db: &Connection, token: &OneTimeToken) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO one_time_tokens ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
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
    ])?;
    Ok(())
}

fn remove(db: &Connection, holder: &Holder) -> rusqlite::Result<()> {
    let sql = "DELETE FROM one_time_tokens WHERE realm = ?1 AND subject = ?2 AND purpose = ?3";
    let which = params![holder.realm.as_str(), holder.subject.as_bytes(), holder.purpose.as_str()];
    db.prepare_cached(sql)?.execute(which).map(|_| ())
}

#[async_trait]
impl OneTimeTokenStore for Embedded {
    async fn put(&self, token: OneTimeToken) -> Result<(), PortError> {
        self.writer.write(PORT, move |db| put(db, &token)).await
    }

    async fn peek(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        self.readers.read(PORT, |db| by_token(db, realm, purpose, token, now))
    }

    async fn find(&self, holder: &Holder, now: Timestamp) -> Result<Option<OneTimeToken>, PortError> {
        self.readers.read(PORT, |db| by_holder(db, holder, now))
    }

    async fn consume(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        let (realm, token) = (realm.clone(), *token);
        let write = move |db: &Connection| {
            let found = by_token(db, &realm, purpose, &token, now)?;
            if let Some(found) = &found {
                remove(db, &found.holder)?;
            }
            Ok(found)
        };
        self.writer.write(PORT, write).await
    }

    async fn arm(
        &self,
        holder: &Holder,
        token: &Digest,
        code: Digest,
        tries: u8,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let (holder, token) = (holder.clone(), *token);
        let write = move |db: &Connection| {
            let Some(found) = by_holder(db, &holder, now)?.filter(|found| found.token.matches(&token)) else {
                return Ok(false);
            };
            put(db, &OneTimeToken { code: Some(code), tries_left: tries, ..found })?;
            Ok(true)
        };
        self.writer.write(PORT, write).await
    }

    async fn try_code(&self, of: &CodeOf, code: &Digest, now: Timestamp) -> Result<TryCode, PortError> {
        let (of, code) = (of.clone(), *code);
        let write = move |db: &Connection| {
            let found = match &of {
                CodeOf::Token(realm, purpose, token) => by_token(db, realm, *purpose, token, now)?,
                CodeOf::Holder(holder) => by_holder(db, holder, now)?,
            };
            let Some(mut found) = found.filter(|found| found.code.is_some() && found.tries_left > 0) else {
                return Ok(TryCode::Dead);
            };
            found.tries_left -= 1;
            if found.code.is_some_and(|right| right.matches(&code)) {
                remove(db, &found.holder)?;
                return Ok(TryCode::Right(found));
            }
            put(db, &found)?;
            Ok(TryCode::Wrong(found.holder))
        };
        self.writer.write(PORT, write).await
    }

    async fn remove_all(&self, realm: &Realm, subject: &UserId) -> Result<(), PortError> {
        let (realm, subject) = (realm.clone(), *subject);
        let write = move |db: &Connection| {
            let mut statement = db.prepare_cached("DELETE FROM one_time_tokens WHERE realm = ?1 AND subject = ?2")?;
            statement.execute(params![realm.as_str(), subject.as_bytes()]).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }

    async fn remove(&self, holder: &Holder) -> Result<(), PortError> {
        let holder = holder.clone();
        self.writer.write(PORT, move |db| remove(db, &holder)).await
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM one_time_tokens WHERE (realm, subject, purpose) IN \
                   (SELECT realm, subject, purpose FROM one_time_tokens WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
