//! The database of the settings and its use cases, for `portcullis keys reindex`. A server may be running on the database.

use std::sync::Arc;

use portcullis_adapters::reindexing::{IndexStep, Reindexing};
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::service::AuthService;

use super::keyring::{KeyedStore, open_used};
use super::secret_check::StoreSecrets;
use crate::config::Settings;

/// A store, the use cases over it, and the ring of index keys.
pub struct IndexedStore {
    service: AuthService,
    store: Box<dyn KeyedStore>,
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
        let (setting, store) = open_used(settings, &secrets).await?;
        let service = super::open_service_beside(settings, randomness).await?;
        Ok(Self { service, store, secrets, setting, database: settings.database.shown() })
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
