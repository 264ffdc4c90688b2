//! [`CredentialStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::model::credential::{Credential, CredentialName, Scopes};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{Columns, unreadable};

const PORT: &str = "credential_store";
pub const COLUMNS: &str = "realm, name, secret, scopes, created_at, expires_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<Credential>> {
    let mut columns = Columns::of(row);
    let realm = columns.realm()?;
    let name = CredentialName::parse(&columns.value::<String>()?).ok_or_else(|| unreadable(1, "no name"))?;
    let credential = Credential {
        realm,
        name,
        secret: columns.digest()?,
        scopes: Scopes::from_bits(columns.value()?),
        created_at: columns.time()?,
        expires_at: columns.value::<Option<i64>>()?.map(Timestamp::from_millis),
    };
    columns.with_mac(credential)
}

/// Stores a credential, in the place of the one with its name.
pub fn put(db: &Db, credential: &Credential) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO credentials ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    db.prepare_cached(&sql)?.execute(params![
        credential.realm.as_str(),
        credential.name.as_str(),
        credential.secret.as_bytes(),
        credential.scopes.bits(),
        credential.created_at.as_millis(),
        credential.expires_at.map(Timestamp::as_millis),
        db.sign(credential),
    ])?;
    Ok(())
}

fn find(db: &Db, realm: &Realm, name: &CredentialName) -> rusqlite::Result<Option<Credential>> {
    let sql = format!("SELECT {COLUMNS} FROM credentials WHERE realm = ?1 AND name = ?2");
    let is_it = |found: &Credential| found.realm == *realm && found.name == *name;
    db.find_named(&sql, params![realm.as_str(), name.as_str()], read, is_it)
}

/// Applies the changes of credentials; `Ok` for a change of anything else.
pub fn apply(db: &Db, change: &Change) -> rusqlite::Result<Result<(), Refusal>> {
    match change {
        Change::InsertCredential(credential) => {
            let sql = "SELECT 1 FROM credentials WHERE realm = ?1 AND name = ?2";
            let which = params![credential.realm.as_str(), credential.name.as_str()];
            if db.prepare_cached(sql)?.exists(which)? {
                return Ok(Err(Refusal::IdTaken));
            }
            put(db, credential).map(Ok)
        }
        Change::ReplaceCredential { credential, expected } => {
            match find(db, &credential.realm, &credential.name)?.filter(|found| found.secret == *expected) {
                Some(_) => put(db, credential).map(Ok),
                None => Ok(Err(Refusal::CredentialGone)),
            }
        }
        Change::RemoveCredential { realm, name } => {
            let mut statement = db.prepare_cached("DELETE FROM credentials WHERE realm = ?1 AND name = ?2")?;
            let removed = statement.execute(params![realm.as_str(), name.as_str()])?;
            Ok(if removed == 1 { Ok(()) } else { Err(Refusal::CredentialGone) })
        }
        _ => Ok(Ok(())),
    }
}

#[async_trait]
impl CredentialStore for Sqlite {
    async fn find(&self, realm: &Realm, name: &CredentialName) -> Result<Option<Credential>, PortError> {
        self.readers.read(PORT, |db| find(db, realm, name))
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Credential>, PortError> {
        self.readers.read(PORT, |db| {
            let sql = format!("SELECT {COLUMNS} FROM credentials WHERE realm = ?1 ORDER BY name");
            let mut all = db.find_all(&sql, params![realm.as_str()], read)?;
            all.retain(|credential: &Credential| credential.realm == *realm);
            Ok(all)
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let sql = "DELETE FROM credentials WHERE (realm, name) IN \
                   (SELECT realm, name FROM credentials WHERE expires_at <= ?1 LIMIT ?2)";
        self.purge(PORT, sql, now).await
    }
}
