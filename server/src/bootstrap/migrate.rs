//! A database made ready for this version.

use std::sync::Arc;

use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::ports::randomness::Randomness;

use super::proof::Proof;
use super::{shown, stores};
use crate::config::{Database, Settings};

/// Makes what is missing in the database of the settings; what was done, in words. Called again, it does nothing.
///
/// # Errors
/// What is wrong, by the setting's name, and the mend.
pub async fn run(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<String, String> {
    let ring = &settings.secrets.encryption_ring.0;
    let cipher = AesGcmCipher::new(ring, randomness).map_err(|error| shown(&error))?;
    let digests = HmacDigest::new(settings.secrets.email_salt.expose().as_bytes());
    let place = settings.database.shown();
    let proof = |setting| Proof { setting, place: place.clone(), cipher: &cipher, digests: &digests };
    match &settings.database {
        Database::Sqlite { path } => {
            let there = path.exists();
            let store = Sqlite::open(path).map_err(|error| format!("DATABASE_URL: {error}"))?;
            proof("DATABASE_URL").look(&store).await?;
            let done = if there { "is at" } else { "was made, with" };
            Ok(format!("{place} {done} schema {}", store.schema_version()))
        }
        Database::MongoDb { url, name } => {
            let failed = |error| format!("MONGO_URL: {error}. Fix: {}", stores::mend(&error));
            let store =
                MongoDb::connect_for_long(&stores::mongo(settings, url.expose(), name)).await.map_err(failed)?;
            proof("MONGO_URL").look(&store).await?;
            let before = store.indexes().await;
            store.prepare().await.map_err(failed)?;
            let (all, version) = (store.indexes().await, store.schema_version());
            Ok(format!("{place} is at schema {version}; {} of {all} indexes were made", all.saturating_sub(before)))
        }
    }
}
