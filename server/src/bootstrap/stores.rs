//! The stores that the settings name, opened and proven to be ones that these secrets have written.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_adapters::redis::{
    CacheSettings, CachedSessions, Redis, RedisSettings, SharedDatabase, SharedLimiter, SharedQueue,
};
use portcullis_adapters::sqlite::{OpenError, Sqlite};
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::Database;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::undo_store::UndoStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_core::ports::webhook_store::WebhookStore;

use super::factories::record_macs;
use super::passkeys;
use super::secret_check::{KeysInUse, SecretCheck};
use crate::config::{self, Settings};
use crate::http::app::{Count, KeyAge};

/// Events the audit log could not take.
const LOST_EVENTS: &str = "portcullis_audit_lost_total";
/// Records that do not verify.
const REFUSED_RECORDS: &str = "portcullis_refused_records_total";

/// The stores of a server.
pub struct Stores {
    pub database: Arc<dyn Database>,
    pub users: Arc<dyn UserStore>,
    pub registrations: Arc<dyn RegistrationStore>,
    pub sessions: Arc<dyn SessionStore>,
    pub one_time_tokens: Arc<dyn OneTimeTokenStore>,
    pub undos: Arc<dyn UndoStore>,
    pub credentials: Arc<dyn CredentialStore>,
    pub webhooks: Arc<dyn WebhookStore>,
    pub jobs: Arc<dyn JobQueue>,
    pub audit: Arc<dyn AuditLog>,
    pub audit_chain: Arc<dyn AuditChainStore>,
    pub guard: Arc<dyn LoginGuard>,
    pub limiter: Arc<dyn RateLimiter>,
    pub sent_messages: Arc<dyn SentMessageStore>,
    /// Values of the start; the test kit has none.
    pub checks: Option<Arc<dyn CheckValueStore>>,
    pub redis: Option<Arc<Redis>>,
    /// The database's name in reports.
    pub engine: &'static str,
    pub schema_version: u32,
    pub key_ages: Vec<KeyAge>,
    pub counts: Vec<Count>,
}

impl Stores {
    fn of<S>(store: Arc<S>, engine: &'static str, schema_version: u32, key_ages: Vec<KeyAge>) -> Self
    where
        S: Database
            + UserStore
            + RegistrationStore
            + SessionStore
            + OneTimeTokenStore
            + UndoStore
            + CredentialStore
            + WebhookStore
            + JobQueue
            + AuditLog
            + AuditChainStore
            + LoginGuard
            + RateLimiter
            + SentMessageStore
            + CheckValueStore
            + 'static,
    {
        Self {
            database: store.clone(),
            users: store.clone(),
            registrations: store.clone(),
            sessions: store.clone(),
            one_time_tokens: store.clone(),
            undos: store.clone(),
            credentials: store.clone(),
            webhooks: store.clone(),
            jobs: store.clone(),
            audit: store.clone(),
            audit_chain: store.clone(),
            guard: store.clone(),
            limiter: store.clone(),
            sent_messages: store.clone(),
            checks: Some(store),
            redis: None,
            engine,
            schema_version,
            key_ages,
            counts: Vec::new(),
        }
    }

    /// Opens the stores that the settings name. Waits this long for one that is in use or not there yet.
    ///
    /// # Errors
    /// The problem, by the setting's name, with the fix.
    pub async fn open(
        settings: &Settings,
        cipher: &Arc<dyn FieldCipher>,
        digests: &Arc<dyn KeyedDigest>,
        timeout: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let keys = KeysInUse::of(settings, clock.now());
        let (of_cipher, of_digests) = (cipher.clone(), digests.clone());
        let (cipher, digests): (&dyn FieldCipher, &dyn KeyedDigest) = (&**cipher, &**digests);
        let macs = record_macs(settings)?;
        let index_ids = settings.secrets.index_keys.ids();
        let stores = match &settings.database {
            config::Database::Sqlite { path } => {
                let store =
                    open_when_free(path, &macs, timeout).await.map_err(|error| format!("DATABASE_URL: {error}"))?;
                let database = path.display().to_string();
                let check = SecretCheck { setting: "DATABASE_URL", database, cipher, digests, index_ids };
                let ages = check.verify_or_insert(&store, &keys).await?;
                passkeys::check_rp_id(&store, settings).await?;
                let (version, lost) = (store.schema_version(), store.lost_events());
                Self {
                    counts: vec![(LOST_EVENTS, lost), (REFUSED_RECORDS, macs.refused())],
                    ..Self::of(Arc::new(store), "embedded", version, ages)
                }
            }
            config::Database::MongoDb { url, name } => {
                let mongo = mongo(settings, url.expose(), name);
                let store = connect_when_there(&mongo, &macs, timeout).await?;
                let database = format!("the database {name}");
                let check = SecretCheck { setting: "MONGO_URL", database, cipher, digests, index_ids };
                let ages = check.verify_or_insert(&store, &keys).await?;
                passkeys::check_rp_id(&store, settings).await?;
                let (version, lost) = (store.schema_version(), store.lost_events());
                let of_store = Self::of(Arc::new(store), "mongodb", version, ages);
                Self { counts: vec![(LOST_EVENTS, lost), (REFUSED_RECORDS, macs.refused())], ..of_store }
            }
        };
        let cache = CacheSettings {
            time_to_live: settings.session_cache_ttl,
            cipher: of_cipher,
            digests: of_digests,
            clock: clock.clone(),
        };
        stores.shared_by(settings, cache)
    }

    /// The embedded store beside a server that may be running on it, where it is written with these secrets.
    ///
    /// # Errors
    /// The problem, by the setting's name, with the fix.
    pub async fn beside(
        settings: &Settings,
        path: &Path,
        cipher: &dyn FieldCipher,
        digests: &dyn KeyedDigest,
    ) -> Result<Self, String> {
        let store =
            Sqlite::open_beside(path, &record_macs(settings)?).map_err(|error| format!("DATABASE_URL: {error}"))?;
        let (database, index_ids) = (path.display().to_string(), settings.secrets.index_keys.ids());
        let check = SecretCheck { setting: "DATABASE_URL", database, cipher, digests, index_ids };
        check.verify(&store).await?;
        let version = store.schema_version();
        Ok(Self::of(Arc::new(store), "embedded", version, Vec::new()))
    }

    /// With Redis, where it is set, in front of what instances share.
    fn shared_by(self, settings: &Settings, cache: CacheSettings) -> Result<Self, String> {
        let Some(redis) = redis(settings) else { return Ok(self) };
        let redis = Redis::prepare(&redis);
        let redis = Arc::new(redis.map_err(|error| format!("REDIS_URL: {error}"))?);
        // SQLite is quicker than a round trip to Redis
        let cacheable = matches!(settings.database, config::Database::MongoDb { .. });
        // an instance that does not cache invalidates the entries of those that do
        let database = SharedDatabase::new(redis.clone(), self.database, cacheable);
        let caches = cacheable && !cache.time_to_live.is_zero();
        let (mut sessions, mut counts) = (self.sessions, self.counts);
        if caches {
            let cached = CachedSessions::new(redis.clone(), sessions, cache);
            counts.push(("portcullis_session_cache_hits_total", cached.hits()));
            sessions = Arc::new(cached);
        }
        Ok(Self {
            database: Arc::new(database),
            sessions,
            counts,
            jobs: Arc::new(SharedQueue::new(redis.clone(), self.jobs)),
            limiter: Arc::new(SharedLimiter::new(redis.clone(), self.limiter)),
            redis: Some(redis),
            ..self
        })
    }
}

/// How a MongoDB server is connected to.
pub fn mongo(settings: &Settings, url: &str, name: &str) -> MongoDbSettings {
    MongoDbSettings {
        url: url.to_owned(),
        database: name.to_owned(),
        validate_certificates: settings.validate_certificates,
        ca_file: settings.ca_file.clone(),
    }
}

/// How Redis is connected to, where it is set.
pub fn redis(settings: &Settings) -> Option<RedisSettings> {
    // deployments that share a Redis do not meet
    let prefix = match &settings.database {
        config::Database::Sqlite { .. } => "portcullis:".to_owned(),
        config::Database::MongoDb { name, .. } => format!("portcullis:{name}:"),
    };
    let url = settings.redis.clone()?;
    let (validate_certificates, ca_file) = (settings.validate_certificates, settings.ca_file.clone());
    Some(RedisSettings { url, prefix, validate_certificates, ca_file })
}

/// The process before this one may still be finishing its requests: the database is waited for.
async fn open_when_free(path: &Path, macs: &Arc<RecordMacs>, timeout: Duration) -> Result<Sqlite, OpenError> {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        match Sqlite::open(path, macs) {
            Err(OpenError::Locked { .. }) if began.elapsed() < timeout => {}
            opened => return opened,
        }
    }
}

/// A server may come up later than we do.
async fn connect_when_there(
    settings: &MongoDbSettings,
    macs: &Arc<RecordMacs>,
    timeout: Duration,
) -> Result<MongoDb, String> {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut warned = false;
    loop {
        ticks.tick().await;
        match MongoDb::connect(settings, macs).await {
            Ok(store) => return Ok(store),
            Err(error) if error.may_pass() && began.elapsed() < timeout => {
                if !warned {
                    tracing::warn!("MONGO_URL: {error}; trying for {} s", timeout.as_secs());
                    warned = true;
                }
            }
            Err(error) => return Err(format!("MONGO_URL: {error}. Fix: {}", error.fix())),
        }
    }
}
