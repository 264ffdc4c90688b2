//! [`WebhookStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Sealed;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::webhook::{EventKinds, OldSecret, Webhook};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::webhook_store::WebhookStore;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::key_slots;
use crate::sqlite::rows::{Columns, signed};

const PORT: &str = "webhook_store";
/// Read where `keys` is joined.
pub const COLUMNS: &str =
    "realm, id, wrapped, old_secret, old_until, url, kinds, disabled, version, created_at, updated_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<Webhook>> {
    let mut columns = Columns::of(row);
    let (realm, id, secret) = (columns.realm()?, WebhookId::from_bytes(columns.id()?), columns.key()?);
    let (old, until) = (columns.sealed_if_any()?, columns.value::<Option<i64>>()?);
    let parts = [old.is_some(), until.is_some()];
    let old = old.zip(until).map(|(secret, until)| OldSecret { secret, until: Timestamp::from_millis(until) });
    let webhook = Webhook {
        realm,
        id,
        secret,
        old_secret: columns.together(&parts, old)?,
        url: columns.value()?,
        kinds: EventKinds::from_text(&columns.value::<String>()?),
        disabled: columns.flag()?,
        version: columns.number()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    };
    columns.with_mac(webhook)
}

/// Stores a webhook whose key is in a slot, in the place of the one with its id.
fn put_in(db: &Db, webhook: &Webhook, slot: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO webhooks (realm, id, key_slot, old_secret, old_until, url, kinds, disabled, version, created_at, \
               updated_at, mac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
               ON CONFLICT (realm, id) DO UPDATE SET (key_slot, old_secret, old_until, url, kinds, disabled, version, \
               created_at, updated_at, mac) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    db.prepare_cached(sql)?.execute(params![
        webhook.realm.as_str(),
        webhook.id.as_bytes(),
        slot,
        webhook.old_secret.as_ref().map(|old| Sealed::as_bytes(&old.secret)),
        webhook.old_secret.as_ref().map(|old| old.until.as_millis()),
        webhook.url,
        webhook.kinds.to_text(),
        webhook.disabled,
        signed(webhook.version),
        webhook.created_at.as_millis(),
        webhook.updated_at.as_millis(),
        db.sign(webhook),
    ])?;
    Ok(())
}

/// The version and the slot of the key.
fn stored(db: &Db, realm: &Realm, id: &WebhookId) -> rusqlite::Result<Option<(i64, i64)>> {
    let mut statement = db.prepare_cached("SELECT version, key_slot FROM webhooks WHERE realm = ?1 AND id = ?2")?;
    statement.query_row(params![realm.as_str(), id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// Stores a webhook, in the place of the one with its id.
pub fn put(db: &Db, webhook: &Webhook) -> rusqlite::Result<()> {
    let slot = match stored(db, &webhook.realm, &webhook.id)? {
        Some((_, slot)) => key_slots::replace(db, slot, &webhook.secret)?,
        None => key_slots::insert(db, &webhook.secret)?,
    };
    put_in(db, webhook, slot)
}

/// Stores a new webhook.
pub fn insert_new(db: &Db, webhook: &Webhook) -> rusqlite::Result<Result<(), Refusal>> {
    if stored(db, &webhook.realm, &webhook.id)?.is_some() {
        return Ok(Err(Refusal::IdTaken));
    }
    put(db, webhook).map(Ok)
}

/// Compare-and-swap of a webhook by its version. The stored key stays, unless there is a new one.
pub fn replace(db: &Db, webhook: &Webhook, expected: u64, new_secret: bool) -> rusqlite::Result<Result<(), Refusal>> {
    match stored(db, &webhook.realm, &webhook.id)? {
        None => Ok(Err(Refusal::WebhookGone)),
        Some((version, _)) if version != signed(expected) => Ok(Err(Refusal::WebhookStale)),
        Some(_) if new_secret => put(db, webhook).map(Ok),
        Some((_, slot)) => put_in(db, webhook, slot).map(Ok),
    }
}

/// Removes a webhook. A trigger overwrites the slot of its key.
pub fn remove(db: &Db, realm: &Realm, id: &WebhookId) -> rusqlite::Result<Result<(), Refusal>> {
    let mut statement = db.prepare_cached("DELETE FROM webhooks WHERE realm = ?1 AND id = ?2")?;
    let removed = statement.execute(params![realm.as_str(), id.as_bytes()])?;
    Ok(if removed == 1 { Ok(()) } else { Err(Refusal::WebhookGone) })
}

#[async_trait]
impl WebhookStore for Sqlite {
    async fn find(&self, realm: &Realm, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        self.readers.read(PORT, |db| {
            let sql =
                format!("SELECT {COLUMNS} FROM webhooks JOIN keys ON slot = key_slot WHERE realm = ?1 AND id = ?2");
            let is_it = |found: &Webhook| found.realm == *realm && found.id == *id;
            db.find_named(&sql, params![realm.as_str(), id.as_bytes()], read, is_it)
        })
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Webhook>, PortError> {
        self.readers.read(PORT, |db| {
            let sql =
                format!("SELECT {COLUMNS} FROM webhooks JOIN keys ON slot = key_slot WHERE realm = ?1 ORDER BY id");
            let mut all = db.find_all(&sql, params![realm.as_str()], read)?;
            all.retain(|webhook: &Webhook| webhook.realm == *realm);
            Ok(all)
        })
    }
}
