//! [`CheckValueStore`] on SQLite.

use async_trait::async_trait;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::error::PortError;
use rusqlite::OptionalExtension as _;

use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;

const PORT: &str = "check_value_store";

#[async_trait]
impl CheckValueStore for Sqlite {
    async fn check_value(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        let sql = "SELECT value FROM checks WHERE name = ?1";
        self.readers.read(PORT, |db| db.query_row(sql, [name], |row| row.get(0)).optional())
    }

    async fn check_value_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, PortError> {
        let (name, value) = (name.to_owned(), value.to_vec());
        let write = move |db: &Db| {
            db.execute("INSERT INTO checks (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (&name, &value))?;
            db.query_row("SELECT value FROM checks WHERE name = ?1", [&name], |row| row.get(0))
        };
        self.writer.write(PORT, write).await
    }

    async fn replace_check_value(&self, name: &str, expected: &[u8], new: &[u8]) -> Result<bool, PortError> {
        let (name, expected, new) = (name.to_owned(), expected.to_vec(), new.to_vec());
        let write = move |db: &Db| {
            let sql = "UPDATE checks SET value = ?3 WHERE name = ?1 AND value = ?2";
            Ok(db.execute(sql, (&name, &expected, &new))? == 1)
        };
        self.writer.write(PORT, write).await
    }
}
