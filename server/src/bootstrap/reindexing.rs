//! The database of the settings and its use cases, for `portcullis keys reindex`. A server may be running on the database.

use std::sync::Arc;

use portcullis_adapters::mongodb::{ConnectError, MongoDb};
use portcullis_adapters::reindexing::{IndexStep, Reindexing};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::service::AuthService;

use super::secret_check::StoreSecrets;
use super::stores;
use crate::config::{Database, Settings};

/// A store, the use cases over it, and the ring of index keys.
pub struct IndexedStore {
    service: AuthService,
    store: Box<dyn MigratableStore>,
    secrets: StoreSecrets,
    setting: &'static str,
    database: String,
}

impl IndexedStore {
    /// Opens an existing database.
    ///
    /// # Errors
    /// The problem, by the setting's name, with the fix.
    pub async fn open(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Self, String> {
        let secrets = StoreSecrets::of(settings, randomness.clone())?;
        let (setting, store): (_, Box<dyn MigratableStore>) = match &settings.database {
            Database::Sqlite { path } => {
                let store =
                    Sqlite::open_beside(path, &secrets.macs).map_err(|error| format!("DATABASE_URL: {error}"))?;
                ("DATABASE_URL", Box::new(store))
            }
            Database::MongoDb { url, name } => {
                let mongo = stores::mongo(settings, url.expose(), name);
                let failed = |error: ConnectError| format!("MONGO_URL: {error}. Fix: {}", error.fix());
                ("MONGO_URL", Box::new(MongoDb::connect_for_long(&mongo, &secrets.macs).await.map_err(failed)?))
            }
        };
        let database = settings.database.shown();
        let check = secrets.check(setting, database.clone());
        check.verify_complete(&*store).await?;
        check.verify_used(&*store).await?;
        let service = super::open_service_beside(settings, randomness).await?;
        Ok(Self { service, store, secrets, setting, database })
    }

    /// A re-index of the store.
    pub fn reindexing<'a>(&'a self, on_step: &'a (dyn Fn(IndexStep) + Send + Sync)) -> Reindexing<'a> {
        Reindexing { service: &self.service, store: &*self.store, on_step }
    }

    /// Writes down that the older index keys may leave the ring. Their ids.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retire_older_keys(&self) -> Result<Vec<u32>, String> {
        self.secrets.check(self.setting, self.database.clone()).retire_older_index_keys(&*self.store).await
    }

    /// The ids of the index keys without which no server starts on this database.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keys_in_use(&self) -> Result<Vec<u32>, String> {
        self.secrets.check(self.setting, self.database.clone()).index_keys_in_use(&*self.store).await
    }
}
