//! The database of the settings and its ring, for `portcullis keys`. A server may be running on the database.

use std::sync::Arc;

use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::key_rotation::{KeyRotation, Step};
use portcullis_adapters::mongodb::{ConnectError, MongoDb};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::key_rotation_store::KeyRotationStore;
use portcullis_core::ports::randomness::Randomness;

use super::secret_check::StoreSecrets;
use super::stores;
use crate::config::{Database, Settings};

/// A store that the commands of keys work on.
pub trait KeyedStore: KeyRotationStore + MigratableStore + AuditChainStore {}

impl<T: KeyRotationStore + MigratableStore + AuditChainStore> KeyedStore for T {}

/// Opens an existing database that these secrets have written. With the name of its setting.
///
/// # Errors
/// The problem, by the setting's name, with the fix.
pub async fn open_used(
    settings: &Settings,
    secrets: &StoreSecrets,
) -> Result<(&'static str, Box<dyn KeyedStore>), String> {
    let (setting, store): (_, Box<dyn KeyedStore>) = match &settings.database {
        Database::Sqlite { path } => {
            let store = Sqlite::open_beside(path, &secrets.macs).map_err(|error| format!("DATABASE_URL: {error}"))?;
            ("DATABASE_URL", Box::new(store))
        }
        Database::MongoDb { url, name } => {
            let mongo = stores::mongo(settings, url.expose(), name);
            let failed = |error: ConnectError| format!("MONGO_URL: {error}. Fix: {}", error.fix());
            ("MONGO_URL", Box::new(MongoDb::connect_for_long(&mongo, &secrets.macs).await.map_err(failed)?))
        }
    };
    let check = secrets.check(setting, settings.database.shown());
    check.verify_complete(&*store).await?;
    check.verify_used(&*store).await?;
    Ok((setting, store))
}

/// A store and the ring its keys are wrapped under.
pub struct Keyring {
    store: Box<dyn KeyedStore>,
    cipher: AesGcmCipher,
}

impl Keyring {
    /// Opens an existing database.
    ///
    /// # Errors
    /// The problem, by the setting's name, with the fix.
    pub async fn open(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Self, String> {
        let secrets = StoreSecrets::of(settings, randomness)?;
        let (_, store) = open_used(settings, &secrets).await?;
        Ok(Self { store, cipher: secrets.cipher })
    }

    /// A rotation of the store's keys.
    pub fn rotation<'a>(&'a self, on_step: &'a (dyn Fn(Step) + Send + Sync)) -> KeyRotation<'a> {
        KeyRotation { store: &*self.store, cipher: &self.cipher, on_step }
    }
}
