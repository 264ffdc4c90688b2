//! `portcullis migrate`: prepares the database for this version.

use std::sync::Arc;

use portcullis_adapters::mongodb::{ConnectError, MongoDb};
use portcullis_adapters::sign_existing::RecordCounts;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_adapters::system::clock::SystemClock;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::ports::database::{Database as _, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::randomness::Randomness;

use super::secret_check::StoreSecrets;
use super::stores;
use crate::config::{Database, Settings};

/// Creates the missing parts of the configured database: schema and indexes, and for an operator with `sign_existing` the
/// MACs of its records. Returns a summary, for the operator.
///
/// # Errors
/// The problem, by the setting's name, with the fix.
pub async fn run(
    settings: &Settings,
    sign_existing: Option<&OperatorNote>,
    randomness: Arc<dyn Randomness>,
) -> Result<String, String> {
    let secrets = StoreSecrets::of(settings, randomness)?;
    let database_name = settings.database.shown();
    match &settings.database {
        Database::Sqlite { path } => {
            let failed = |error: PortError| format!("DATABASE_URL: {}", error.with_cause());
            let there = path.exists();
            let store = Sqlite::open(path, &secrets.macs).map_err(|error| format!("DATABASE_URL: {error}"))?;
            secrets.check("DATABASE_URL", database_name.clone()).verify(&store).await?;
            let done = if there { "is at" } else { "was made, with" };
            let mut message = format!("{database_name} {done} schema {}", store.schema_version());
            if let Some(note) = sign_existing {
                let counts = store.sign_existing(&secrets.cipher).await.map_err(failed)?;
                store.commit(events(&counts, note)).await.map_err(failed)?.map_err(|_| "a commit was refused")?;
                message.push_str(&signed(&counts));
            }
            Ok(message)
        }
        Database::MongoDb { url, name } => {
            let failed = |error: ConnectError| format!("MONGO_URL: {error}. Fix: {}", error.fix());
            let store_failed = |error: PortError| format!("MONGO_URL: {}", error.with_cause());
            let mongo = stores::mongo(settings, url.expose(), name);
            let store = MongoDb::connect_for_long(&mongo, &secrets.macs).await.map_err(failed)?;
            secrets.check("MONGO_URL", database_name.clone()).verify(&store).await?;
            let before = store.indexes().await;
            store.prepare().await.map_err(failed)?;
            let (all, version) = (store.indexes().await, store.schema_version());
            let made = all.saturating_sub(before);
            let mut message = format!("{database_name} is at schema {version}; {made} of {all} indexes were made");
            if let Some(note) = sign_existing {
                let counts = store.sign_existing(&secrets.cipher).await.map_err(store_failed)?;
                store.commit(events(&counts, note)).await.map_err(store_failed)?.map_err(|_| "a commit was refused")?;
                message.push_str(&signed(&counts));
            }
            Ok(message)
        }
    }
}

/// One event for each realm whose records were signed.
fn events(counts: &RecordCounts, note: &OperatorNote) -> UnitOfWork {
    let (at, kind, operator) = (SystemClock::new().now(), EventKind::RecordsSigned, Some(note.clone()));
    let event = |realm| Event { at, realm, kind, user: None, session: None, operator: operator.clone(), detail: None };
    UnitOfWork { events: counts.0.keys().cloned().map(event).collect(), ..UnitOfWork::default() }
}

fn signed(counts: &RecordCounts) -> String {
    format!("; {} records were signed", counts.0.values().sum::<u64>())
}
