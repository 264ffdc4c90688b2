//! `portcullis migrate`: prepares the database for this version.

use std::sync::Arc;

use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::ports::randomness::Randomness;

use super::secret_check::StoreSecrets;
use super::stores;
use crate::config::{Database, Settings};

/// Creates what is missing in the database of the settings: schema and indexes. Returns what was done, for the operator.
///
/// # Errors
/// What is wrong, by the setting's name, with the fix.
pub async fn run(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<String, String> {
    let secrets = StoreSecrets::of(settings, randomness)?;
    let database_name = settings.database.shown();
    match &settings.database {
        Database::Sqlite { path } => {
            let there = path.exists();
            let store = Sqlite::open(path).map_err(|error| format!("DATABASE_URL: {error}"))?;
            secrets.check("DATABASE_URL", database_name.clone()).verify(&store).await?;
            let done = if there { "is at" } else { "was made, with" };
            Ok(format!("{database_name} {done} schema {}", store.schema_version()))
        }
        Database::MongoDb { url, name } => {
            let failed = |error| format!("MONGO_URL: {error}. Fix: {}", stores::fix(&error));
            let store =
                MongoDb::connect_for_long(&stores::mongo(settings, url.expose(), name)).await.map_err(failed)?;
            secrets.check("MONGO_URL", database_name.clone()).verify(&store).await?;
            let before = store.indexes().await;
            store.prepare().await.map_err(failed)?;
            let (all, version) = (store.indexes().await, store.schema_version());
            Ok(format!(
                "{database_name} is at schema {version}; {} of {all} indexes were made",
                all.saturating_sub(before)
            ))
        }
    }
}
