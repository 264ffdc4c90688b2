//! Connects: options of the operator's URL, checks of the server, indexes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mongodb::bson::doc;
use mongodb::options::{Acknowledgment, ClientOptions, ReadConcern, Tls, WriteConcern};
use mongodb::{Client, Database};
use tokio::sync::Notify;

use crate::crypto::record_macs::RecordMacs;
use crate::mongodb::connect_error::ConnectError;
use crate::mongodb::event_recorder::EventRecorder;
use crate::mongodb::failure::is_duplicate;
use crate::mongodb::keyed_mutex::KeyedMutex;
use crate::mongodb::pool::Pool;
use crate::mongodb::{MongoDb, SCHEMA_VERSION, indexes, pool};

/// How long to wait for a primary.
const SELECTION_TIMEOUT: Duration = Duration::from_millis(1200);
/// How long a server may take to answer during a migration or a rotation.
const LONG_TIMEOUT: Duration = Duration::from_secs(30);
/// The oldest wire protocol that is understood: MongoDB 4.4.
const OLDEST_WIRE_VERSION: i32 = 9;

/// The address and credentials of the database.
pub struct MongoDbSettings {
    /// `mongodb://…` or `mongodb+srv://…`. May carry a password.
    pub url: String,
    /// The database's name.
    pub database: String,
    /// Whether a certificate must be good.
    pub validate_certificates: bool,
    /// The certificates of the authority that signs the server's, where it is a private one.
    pub ca_file: Option<PathBuf>,
}

impl MongoDb {
    /// Connects, creates the missing indexes, and checks that this version may use the database.
    ///
    /// # Errors
    /// The reason why the database cannot be used.
    pub async fn connect(settings: &MongoDbSettings, macs: &Arc<RecordMacs>) -> Result<Self, ConnectError> {
        let store = Self::connect_as_is(settings, macs).await?;
        store.prepare().await?;
        Ok(store)
    }

    /// Connects and writes nothing: missing indexes stay missing.
    ///
    /// # Errors
    /// The reason why the database cannot be used.
    pub async fn connect_as_is(settings: &MongoDbSettings, macs: &Arc<RecordMacs>) -> Result<Self, ConnectError> {
        Self::reached(settings, SELECTION_TIMEOUT, macs).await
    }

    /// The same with a longer timeout, for migrations and rotations: slow answers are no failure there.
    ///
    /// # Errors
    /// The reason why the database cannot be used.
    pub async fn connect_for_long(settings: &MongoDbSettings, macs: &Arc<RecordMacs>) -> Result<Self, ConnectError> {
        Self::reached(settings, LONG_TIMEOUT, macs).await
    }

    /// How many indexes there are.
    pub async fn indexes(&self) -> usize {
        indexes::count(&self.pool.database()).await
    }

    /// Writes the schema version and creates the indexes.
    ///
    /// # Errors
    /// The reason why the database cannot be used.
    pub async fn prepare(&self) -> Result<(), ConnectError> {
        write_version(&self.pool.database()).await?;
        indexes::create(&self.pool.database()).await?;
        Ok(())
    }

    async fn reached(
        settings: &MongoDbSettings,
        timeout: Duration,
        macs: &Arc<RecordMacs>,
    ) -> Result<Self, ConnectError> {
        let options = options(settings, timeout).await?;
        let database = reach(settings, options.clone()).await?;
        check_version(&database).await?;
        let (lost_events, pool) = (Arc::new(AtomicU64::new(0)), Pool::new(database, options));
        Ok(Self {
            recorder: EventRecorder::start(pool.clone(), lost_events.clone()),
            pool,
            document_locks: KeyedMutex::default(),
            macs: macs.clone(),
            enqueued: Notify::new(),
            lost_events,
        })
    }
}

/// A database on a server that is new enough.
async fn reach(settings: &MongoDbSettings, options: ClientOptions) -> Result<Database, ConnectError> {
    let client = Client::with_options(options)?;
    let database = client.database(&settings.database);
    let hello = database.run_command(doc! {"hello": 1}).await?;
    if hello.get_i32("maxWireVersion").is_ok_and(|version| version < OLDEST_WIRE_VERSION) {
        return Err(ConnectError::TooOld);
    }
    let router = hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid");
    if !hello.contains_key("setName") && !router {
        return Err(ConnectError::Standalone);
    }
    Ok(database)
}

async fn options(settings: &MongoDbSettings, timeout: Duration) -> Result<ClientOptions, ConnectError> {
    let parsed = ClientOptions::parse(&settings.url).await;
    let mut options = parsed.map_err(|error| ConnectError::of_address(&error))?;
    options.app_name.get_or_insert_with(|| "portcullis".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
    options.connect_timeout.get_or_insert(timeout);
    pool::prepare(&mut options);
    options.heartbeat_freq.get_or_insert(Duration::from_secs(2));
    // a completed write is on the disks of a majority, whatever the URL says
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    // and what is read has been acknowledged by a majority
    options.read_concern = Some(ReadConcern::majority());
    options.selection_criteria = None;
    options.retry_writes.get_or_insert(true);
    if let Some(Tls::Enabled(tls)) = &mut options.tls {
        if !settings.validate_certificates {
            tls.allow_invalid_certificates = Some(true);
        }
        if settings.ca_file.is_some() {
            tls.ca_file_path.clone_from(&settings.ca_file);
        }
    }
    Ok(options)
}

/// Stores the schema version in a new database.
async fn write_version(database: &Database) -> Result<(), ConnectError> {
    let versions = database.collection::<mongodb::bson::Document>("versions");
    let ours = doc! {"$max": {"version": i64::from(SCHEMA_VERSION)}};
    let kept = versions.update_one(doc! {"_id": "schema"}, ours).upsert(true).await;
    if let Err(error) = kept
        && !is_duplicate(&error)
    {
        return Err(error.into());
    }
    Ok(())
}

/// Refuses a database of a later version.
async fn check_version(database: &Database) -> Result<(), ConnectError> {
    let versions = database.collection::<mongodb::bson::Document>("versions");
    let found = versions.find_one(doc! {"_id": "schema"}).await?;
    match found.and_then(|kept| kept.get_i64("version").ok()) {
        Some(found) if found > i64::from(SCHEMA_VERSION) => Err(ConnectError::Newer { found }),
        _ => Ok(()),
    }
}
