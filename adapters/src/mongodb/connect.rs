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

/// Why there is no connection. The message contains no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be read.
    #[error("the address cannot be read: {0}")]
    Address(String),
    /// No server answers; it may come yet.
    #[error("no MongoDB server that takes writes answers: {0}")]
    Away(String),
    /// The server refuses the user name or the password.
    #[error("the server refuses the user name or password")]
    Refused,
    /// The server's certificate is not trusted.
    #[error("the server's certificate is not trusted: {0}")]
    Certificate(String),
    /// The server is no member of a replica set, and so has no transactions.
    #[error("the server is not a member of a replica set, and transactions need one")]
    Standalone,
    /// The server is too old.
    #[error("the server is older than MongoDB 4.4")]
    TooOld,
    /// A later version wrote the database.
    #[error("the database is of version {found}, this program knows {SCHEMA_VERSION} at most")]
    Newer {
        /// Its version.
        found: i64,
    },
    /// Anything else the server said.
    #[error("{0}")]
    Other(String),
}

impl From<mongodb::error::Error> for ConnectError {
    fn from(error: mongodb::error::Error) -> Self {
        use mongodb::error::ErrorKind;
        // texts of the driver name hosts, never credentials
        match &*error.kind {
            ErrorKind::Authentication { .. } => Self::Refused,
            ErrorKind::Command(refused) if matches!(refused.code, 13 | 18) => Self::Refused,
            ErrorKind::ServerSelection { message, .. } => {
                // the driver hides a wrong password behind a server it cannot use
                if message.contains("AuthenticationFailed") || message.contains("SCRAM failure") {
                    return Self::Refused;
                }
                if message.contains("certificate") {
                    return Self::Certificate(why(message));
                }
                Self::Away(message.clone())
            }
            ErrorKind::Io(io) => Self::Away(io.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

/// The part of a driver's long report that says what is wrong with a certificate.
fn why(report: &str) -> String {
    let from = report.find("invalid peer certificate").unwrap_or_default();
    let told = report.get(from..).unwrap_or_default();
    told.split([',', '}']).next().unwrap_or(told).trim_end_matches(['"', ')']).to_owned()
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
    // the driver's message may quote a part of a password that was not encoded
    let unreadable = |_| ConnectError::Address("in it, user and password are percent-encoded (@ / ? : # %)".to_owned());
    let mut options = parsed.map_err(unreadable)?;
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
