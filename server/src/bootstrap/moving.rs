//! Two databases between which everything is moved, each proven to be one of these secrets.

use std::path::Path;
use std::sync::Arc;

use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::data_migration::MigratableStore;
use portcullis_adapters::data_migration::migration::Side;
use portcullis_adapters::mongodb::MongoDb;
use portcullis_adapters::sqlite::{OpenError, Sqlite};
use portcullis_core::ports::randomness::Randomness;

use super::proof::Proof;
use super::{shown, stores};
use crate::config::{Database, Settings};

/// What is moved between. Nobody else may use either meanwhile.
pub struct Ends {
    /// What is moved from.
    pub from: Box<dyn MigratableStore>,
    /// What is moved to; `None` where it is not there and is not to be made.
    pub to: Option<Box<dyn MigratableStore>>,
}

impl Ends {
    /// Opens the database of the settings and the target. In a rehearsal nothing is made that is not there.
    ///
    /// # Errors
    /// What is wrong with which of them, and the mend.
    pub async fn open(
        settings: &Settings,
        to: &Database,
        rehearsal: bool,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, String> {
        if settings.database.shown() == to.shown() {
            return Err("--to: it is the same database as --from. Fix: name another one".to_owned());
        }
        let ring = &settings.secrets.encryption_ring.0;
        let cipher = AesGcmCipher::new(ring, randomness).map_err(|error| shown(&error))?;
        let digests = HmacDigest::new(settings.secrets.email_salt.expose().as_bytes());
        let proof = |side: Side, database: &Database| Proof {
            setting: side.as_str(),
            place: database.shown(),
            cipher: &cipher,
            digests: &digests,
        };
        let from = source(settings).await?;
        if !proof(Side::Source, &settings.database).look(&*from).await? {
            let place = settings.database.shown();
            return Err(format!("--from: no server has used {place} yet. Fix: see that the name is right"));
        }
        let to_store = target(settings, to, rehearsal).await?;
        if let Some(store) = &to_store {
            proof(Side::Target, to).look(&**store).await?;
        }
        Ok(Self { from, to: to_store })
    }
}

async fn source(settings: &Settings) -> Result<Box<dyn MigratableStore>, String> {
    match &settings.database {
        Database::Sqlite { path } if !path.exists() => {
            Err(format!("--from: {} is not there. Fix: see that the path is right", path.display()))
        }
        Database::Sqlite { path } => embedded(Side::Source, path),
        Database::MongoDb { url, name } => {
            let store = MongoDb::connect_for_long(&stores::mongo(settings, url.expose(), name)).await;
            let store = store.map_err(|error| format!("--from: {error}. Fix: {}", stores::mend(&error)))?;
            Ok(Box::new(store))
        }
    }
}

async fn target(
    settings: &Settings,
    database: &Database,
    rehearsal: bool,
) -> Result<Option<Box<dyn MigratableStore>>, String> {
    match database {
        Database::Sqlite { path } if rehearsal && !path.exists() => Ok(None),
        Database::Sqlite { path } => embedded(Side::Target, path).map(Some),
        Database::MongoDb { url, name } => {
            let target = stores::mongo(settings, url.expose(), name);
            let failed = |error| format!("--to: {error}. Fix: {}", stores::mend(&error));
            let store = MongoDb::connect_for_long(&target).await.map_err(failed)?;
            if !rehearsal {
                store.prepare().await.map_err(failed)?;
            }
            Ok(Some(Box::new(store)))
        }
    }
}

fn embedded(side: Side, path: &Path) -> Result<Box<dyn MigratableStore>, String> {
    let store = Sqlite::open(path).map_err(|error| {
        let told = error.to_string();
        match (error, told.split_once(". Fix: ")) {
            // another file, which is a server's way out, would be the wrong advice here
            (OpenError::Locked { .. }, Some((told, _))) => {
                format!("{}: {told}. Fix: stop the server first; a move needs the file to itself", side.as_str())
            }
            _ => format!("{}: {told}", side.as_str()),
        }
    })?;
    Ok(Box::new(store))
}
