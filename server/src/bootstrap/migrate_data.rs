//! The two databases of a data migration, both checked against the secrets of the settings.

use std::path::Path;
use std::sync::Arc;

use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::data_migration::error::Side;
use portcullis_adapters::mongodb::{ConnectError, MongoDb};
use portcullis_adapters::sqlite::{OpenError, Sqlite};
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::randomness::Randomness;

use super::secret_check::StoreSecrets;
use super::stores;
use crate::config::{Database, Settings};

/// The source and the target. No server may use either meanwhile.
pub struct MigrationStores {
    /// The source.
    pub from: Box<dyn MigratableStore>,
    /// The target; `None` if it does not exist and this is a dry run.
    pub to: Option<Box<dyn MigratableStore>>,
}

impl MigrationStores {
    /// Opens the database of the settings and the target. A dry run creates nothing.
    ///
    /// # Errors
    /// The problem with one of them, with the fix.
    pub async fn open(
        settings: &Settings,
        to: &Database,
        dry_run: bool,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, String> {
        if settings.database.shown() == to.shown() {
            return Err("--to: it is the same database as --from. Fix: name another one".to_owned());
        }
        let secrets = StoreSecrets::of(settings, randomness)?;
        let from = source(settings, &secrets.macs).await?;
        secrets.check(Side::Source.as_str(), settings.database.shown()).verify_used(&*from).await?;
        let to_store = target(settings, to, dry_run, &secrets.macs).await?;
        if let Some(store) = &to_store {
            secrets.check(Side::Target.as_str(), to.shown()).verify(&**store).await?;
        }
        Ok(Self { from, to: to_store })
    }
}

async fn source(settings: &Settings, macs: &Arc<RecordMacs>) -> Result<Box<dyn MigratableStore>, String> {
    match &settings.database {
        Database::Sqlite { path } if !path.exists() => {
            Err(format!("--from: {} is not there. Fix: see that the path is right", path.display()))
        }
        Database::Sqlite { path } => sqlite(Side::Source, path, macs),
        Database::MongoDb { url, name } => {
            let store = MongoDb::connect_for_long(&stores::mongo(settings, url.expose(), name), macs).await;
            let store = store.map_err(|error| format!("--from: {error}. Fix: {}", error.fix()))?;
            Ok(Box::new(store))
        }
    }
}

async fn target(
    settings: &Settings,
    database: &Database,
    dry_run: bool,
    macs: &Arc<RecordMacs>,
) -> Result<Option<Box<dyn MigratableStore>>, String> {
    match database {
        Database::Sqlite { path } if dry_run && !path.exists() => Ok(None),
        Database::Sqlite { path } => sqlite(Side::Target, path, macs).map(Some),
        Database::MongoDb { url, name } => {
            let target = stores::mongo(settings, url.expose(), name);
            let failed = |error: ConnectError| format!("--to: {error}. Fix: {}", error.fix());
            let store = MongoDb::connect_for_long(&target, macs).await.map_err(failed)?;
            if !dry_run {
                store.prepare().await.map_err(failed)?;
            }
            Ok(Some(Box::new(store)))
        }
    }
}

fn sqlite(side: Side, path: &Path, macs: &Arc<RecordMacs>) -> Result<Box<dyn MigratableStore>, String> {
    let store = Sqlite::open(path, macs).map_err(|error| {
        let message = error.to_string();
        match (error, message.split_once(". Fix: ")) {
            // the fix for a server, another file, would be wrong here
            (OpenError::Locked { .. }, Some((message, _))) => {
                format!(
                    "{}: {message}. Fix: stop the server first; a migration needs the file to itself",
                    side.as_str()
                )
            }
            _ => format!("{}: {message}", side.as_str()),
        }
    })?;
    Ok(Box::new(store))
}
