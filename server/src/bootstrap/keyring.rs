//! The database of the settings and its ring, for whoever looks after keys: beside a server that may be running on it.

use std::sync::Arc;

use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::data_migration::migration::unfinished;
use portcullis_adapters::key_rotation::{KeyRotation, KeyRotationStore, Step};
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::ports::randomness::Randomness;

use super::proof::Proof;
use super::{shown, stores};
use crate::config::{Database, Settings};

/// A store, and the ring its keys lie under.
pub struct Keyring {
    store: Box<dyn KeyRotationStore>,
    cipher: AesGcmCipher,
}

impl Keyring {
    /// Opens what is there; makes nothing.
    ///
    /// # Errors
    /// What is wrong, by the setting's name, and the mend.
    pub async fn open(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Self, String> {
        let ring = &settings.secrets.encryption_ring.0;
        let cipher = AesGcmCipher::new(ring, randomness).map_err(|error| shown(&error))?;
        let digests = HmacDigest::new(settings.secrets.email_salt.expose().as_bytes());
        let place = settings.database.shown();
        let (setting, store): (_, Box<dyn KeyRotationStore>) = match &settings.database {
            Database::Sqlite { path } => {
                let store = Sqlite::open_beside(path).map_err(|error| format!("DATABASE_URL: {error}"))?;
                ("DATABASE_URL", Box::new(store))
            }
            Database::MongoDb { url, name } => {
                let mongo = stores::mongo(settings, url.expose(), name);
                let failed = |error| format!("MONGO_URL: {error}. Fix: {}", stores::mend(&error));
                ("MONGO_URL", Box::new(MongoDb::connect_for_long(&mongo).await.map_err(failed)?))
            }
        };
        let failed = |error| format!("{setting}: {}", shown(&error));
        if let Some(from) = unfinished(&*store).await.map_err(failed)? {
            return Err(format!(
                "{setting}: {place} is the target of an unfinished move from {from}. Fix: finish it with the same \
                 `portcullis move` as before."
            ));
        }
        let proof = Proof { setting, place: place.clone(), cipher: &cipher, digests: &digests };
        if !proof.look(&*store).await? {
            return Err(format!("{setting}: no server has used {place} yet. Fix: see that the name is right"));
        }
        Ok(Self { store, cipher })
    }

    /// What looks, and wraps anew.
    pub fn rewrapper<'a>(&'a self, told: &'a (dyn Fn(Step) + Send + Sync)) -> KeyRotation<'a> {
        KeyRotation { store: &*self.store, cipher: &self.cipher, told }
    }
}
