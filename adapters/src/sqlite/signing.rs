//! Signs records: under the ring's first key where an older one signed them, and those of a database of an older version.

use portcullis_core::model::stored_key::SignedAgain;
use portcullis_core::model::stored_record::{Collection, Record};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use crate::authenticated_records::has_macs;
use crate::crypto::record_macs::Stored;
use crate::sign_existing::{RecordCounts, SIGNED_AT_ONCE, realm_of, seal_password};
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::row_mapping::{self, Shape};

const PORT: &str = "signing";

/// The columns that name one row of a table.
const fn row_key(of: Collection) -> &'static str {
    match of {
        Collection::LoginCounts => "realm, email",
        Collection::Checks => "name",
        Collection::Users
        | Collection::Registrations
        | Collection::Sessions
        | Collection::UndoRecords
        | Collection::Webhooks => "realm, id",
        Collection::Credentials => "realm, name",
        Collection::OneTimeTokens => "realm, subject, purpose",
        Collection::Jobs => "id",
        Collection::Audit | Collection::SentMessages => "number",
        Collection::Buckets => "realm, operation, who",
    }
}

type Row = (Stored<Record>, Vec<Value>);

/// Some rows of a table whose MAC is under a key, or that have none.
fn rows(db: &Db, of: Collection, under: Option<[u8; 4]>, limit: u32) -> rusqlite::Result<Vec<Row>> {
    let Shape { from, columns, read, .. } = row_mapping::of(of);
    let key = row_key(of);
    let sql = format!("SELECT {columns}, {key} FROM {from} WHERE substr(mac, 1, 4) IS ?1 LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let parts = key.split(',').count();
    let first = statement.column_count() - parts;
    let rows = statement.query_map(params![under, limit], |row| {
        let key = (0..parts).map(|at| row.get(first + at)).collect::<rusqlite::Result<Vec<Value>>>()?;
        Ok((read(row)?, key))
    })?;
    rows.collect()
}

fn set_mac(db: &Db, record: &Record, mut key: Vec<Value>) -> rusqlite::Result<()> {
    let of = record.collection();
    let password = match record {
        Record::User(user) => Some(&user.password),
        Record::Registrations(pending) => pending.registrations.first().map(|one| &one.password),
        _ => None,
    };
    let mut set = "mac = ?".to_owned();
    let mut values = vec![Value::Blob(db.sign(record))];
    if let Some(password) = password {
        set.push_str(", password = ?");
        values.push(Value::Blob(password.as_bytes().to_vec()));
    }
    let marks = vec!["?"; key.len()].join(", ");
    values.append(&mut key);
    let sql = format!("UPDATE {} SET {set} WHERE ({}) = ({marks})", of.as_str(), row_key(of));
    db.prepare_cached(&sql)?.execute(params_from_iter(values)).map(|_| ())
}

/// Signs some records that are under an older key.
fn sign_again(db: &Db, of: Collection, under: [u8; 4], limit: u32) -> rusqlite::Result<SignedAgain> {
    let rows = rows(db, of, Some(under), limit)?;
    let (found, mut signed) = (rows.len() as u64, 0);
    for (stored, key) in rows {
        if let Ok(record) = db.verify(stored) {
            set_mac(db, &record, key)?;
            signed += 1;
        }
    }
    Ok(SignedAgain { found, signed })
}

impl Sqlite {
    /// How many records have a MAC under a key.
    pub(super) fn count_under(&self, key: u32) -> Result<u64, PortError> {
        self.readers.read(PORT, |db| {
            let count = |of: &Collection| {
                let sql = format!("SELECT count(*) FROM {} WHERE substr(mac, 1, 4) = ?1", of.as_str());
                db.query_row(&sql, [key.to_be_bytes()], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
            };
            Collection::ALL.iter().filter(|of| has_macs(**of)).map(count).sum()
        })
    }

    /// Signs some records of each table under the ring's first key.
    pub(super) async fn sign_under_newest(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError> {
        let write = move |db: &Db| {
            let mut done = SignedAgain::default();
            if key.to_be_bytes() == db.macs.newest() {
                return Ok(done);
            }
            for of in Collection::ALL.into_iter().filter(|of| has_macs(*of)) {
                let step = sign_again(db, of, key.to_be_bytes(), limit)?;
                done = SignedAgain { found: done.found + step.found, signed: done.signed + step.signed };
            }
            Ok(done)
        };
        self.writer.write(PORT, write).await
    }

    /// Signs every record that has no MAC, as it is, and seals password hashes that an older version stored in the clear;
    /// how many, by realm. The caller vouches for what is in the database.
    ///
    /// # Errors
    /// When the database fails, or a password hash cannot be sealed.
    pub async fn sign_existing(&self, cipher: &dyn FieldCipher) -> Result<RecordCounts, PortError> {
        let mut counts = RecordCounts::default();
        for of in Collection::ALL.into_iter().filter(|of| has_macs(*of)) {
            loop {
                let found = self.readers.read(PORT, |db| rows(db, of, None, SIGNED_AT_ONCE))?;
                if found.is_empty() {
                    break;
                }
                let repaired = found.into_iter().map(|(stored, key)| {
                    let record = seal_password(cipher, stored.unverified())?;
                    counts.add(realm_of(&record));
                    Ok((record, key))
                });
                let repaired = repaired.collect::<Result<Vec<_>, PortError>>()?;
                let write = move |db: &Db| repaired.into_iter().try_for_each(|(record, key)| set_mac(db, &record, key));
                self.writer.write(PORT, write).await?;
            }
        }
        // hashes that were stored in the clear leave the log too
        self.writer.erase(PORT, |_| Ok(())).await?;
        Ok(counts)
    }
}
