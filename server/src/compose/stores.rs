//! The stores that the settings name, opened and proven to be ones that these secrets have written.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_adapters::embedded::{Embedded, OpenError};
use portcullis_adapters::mongo::{Addresses, ConnectError, Mongo, MongoSettings, Takers};
use portcullis_adapters::outbox::shelf::Shelf;
use portcullis_adapters::redis::cache::{
    Cache, CachedCallers, CachedSessions, CachedUsers, FilteredLimiter, FilteredUsers, SharedFilter,
};
use portcullis_adapters::redis::{Redis, RedisSettings, SharedLimiter, SharedQueue};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::caller_store::CallerStore;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;

use super::proof::{Keys, Proof};
use super::shown;
use crate::config::{Database, Settings};
use crate::http::app::{Count, KeyAge};

/// Events the audit log could not take.
const LOST_EVENTS: &str = "portcullis_audit_lost_total";

/// What keeps things.
pub struct Stores {
    pub users: Arc<dyn UserStore>,
    pub registrations: Arc<dyn RegistrationStore>,
    pub sessions: Arc<dyn SessionStore>,
    pub callers: Option<Arc<dyn CallerStore>>,
    pub one_time_tokens: Arc<dyn OneTimeTokenStore>,
    pub jobs: Arc<dyn JobQueue>,
    pub audit: Arc<dyn AuditLog>,
    pub guard: Arc<dyn LoginGuard>,
    pub limiter: Arc<dyn RateLimiter>,
    pub shelf: Arc<dyn Shelf>,
    pub redis: Option<Arc<Redis>>,
    pub mongo: Option<Arc<Mongo>>,
    /// What the database is called in reports.
    pub database: &'static str,
    pub schema_version: u32,
    pub key_ages: Vec<KeyAge>,
    pub counts: Vec<Count>,
}

impl Stores {
    fn of<S>(store: Arc<S>, database: &'static str, schema_version: u32, key_ages: Vec<KeyAge>) -> Self
    where
        S: UserStore
            + RegistrationStore
            + SessionStore
            + CallerStore
            + OneTimeTokenStore
            + JobQueue
            + AuditLog
            + LoginGuard
            + RateLimiter
            + Shelf
            + 'static,
    {
        Self {
            users: store.clone(),
            registrations: store.clone(),
            sessions: store.clone(),
            callers: Some(store.clone()),
            one_time_tokens: store.clone(),
            jobs: store.clone(),
            audit: store.clone(),
            guard: store.clone(),
            limiter: store.clone(),
            shelf: store,
            redis: None,
            mongo: None,
            database,
            schema_version,
            key_ages,
            counts: Vec::new(),
        }
    }

    /// Opens what the settings name, and waits so long for what is in use or not there yet.
    ///
    /// # Errors
    /// What is wrong, by the setting's name, and the mend.
    pub async fn open(
        settings: &Settings,
        cipher: &dyn FieldCipher,
        digests: &dyn KeyedDigest,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Self, String> {
        let keys = Keys::of(settings, now);
        let stores = match &settings.database {
            Database::Sqlite { path } => {
                let store = open_when_free(path, patience).await.map_err(|error| format!("DATABASE_URL: {error}"))?;
                let proof = Proof { setting: "DATABASE_URL", place: path.display().to_string(), cipher, digests };
                let ages = proof.demand(&store, &keys).await?;
                let (version, lost) = (store.schema_version(), store.lost_events());
                Self { counts: vec![(LOST_EVENTS, lost)], ..Self::of(Arc::new(store), "embedded", version, ages) }
            }
            Database::Mongo { url, name } => {
                let mongo = mongo(settings, url.expose(), name);
                let store = connect_when_there(&mongo, patience).await?;
                let place = format!("the database {name}");
                let ages = Proof { setting: "MONGO_URL", place, cipher, digests }.demand(&store, &keys).await?;
                let (version, lost) = (store.schema_version(), store.lost_events());
                let store = Arc::new(store);
                let of_store = Self::of(store.clone(), "mongodb", version, ages);
                Self { counts: vec![(LOST_EVENTS, lost)], mongo: Some(store), ..of_store }
            }
        };
        stores.shared_by(settings)
    }

    /// The embedded store beside a server that may be running on it, where it is written with these secrets.
    ///
    /// # Errors
    /// What is wrong, by the setting's name, and the mend.
    pub async fn beside(path: &Path, cipher: &dyn FieldCipher, digests: &dyn KeyedDigest) -> Result<Self, String> {
        let store = Embedded::open_beside(path).map_err(|error| format!("DATABASE_URL: {error}"))?;
        let proof = Proof { setting: "DATABASE_URL", place: path.display().to_string(), cipher, digests };
        proof.look(&store).await?;
        let version = store.schema_version();
        Ok(Self::of(Arc::new(store), "embedded", version, Vec::new()))
    }

    /// With copies of sealed records in Redis, where both it and MongoDB are set: the embedded store is quicker itself.
    ///
    /// # Errors
    /// When MongoDB cannot be told that this instance takes no copies back.
    pub async fn with_copies(self) -> Result<Self, String> {
        let Some(mongo) = self.mongo.clone() else { return Ok(self) };
        let Some(redis) = self.redis.clone() else {
            mongo.forbid_copies().await.map_err(|error| format!("MONGO_URL: {}", shown(&error)))?;
            return Ok(self);
        };
        let cache = Cache::start(redis, mongo.clone(), Arc::new(OsRandomness));
        let addresses = SharedFilter::start(cache.clone(), "addresses", Arc::new(Addresses(mongo.clone())));
        let takers = SharedFilter::start(cache.clone(), "takers", Arc::new(Takers(mongo)));
        let mut counts = self.counts;
        counts.extend(cache.counts());
        counts.push(("portcullis_filter_saved_users_total", addresses.saved()));
        counts.push(("portcullis_filter_saved_limits_total", takers.saved()));
        let users = FilteredUsers::new(addresses, self.users);
        let users = Arc::new(CachedUsers::new(cache.clone(), Arc::new(users)));
        let sessions = Arc::new(CachedSessions::new(cache.clone(), self.sessions));
        Ok(Self {
            callers: Some(Arc::new(CachedCallers::new(cache, sessions.clone(), users.clone()))),
            users,
            sessions,
            limiter: Arc::new(FilteredLimiter::new(takers, self.limiter)),
            counts,
            ..self
        })
    }

    /// With Redis, where it is set, in front of what instances share.
    fn shared_by(self, settings: &Settings) -> Result<Self, String> {
        let Some(redis) = redis(settings) else { return Ok(self) };
        let redis = Redis::prepare(&redis);
        let redis = Arc::new(redis.map_err(|error| format!("REDIS_URL: {error}"))?);
        Ok(Self {
            jobs: Arc::new(SharedQueue::new(redis.clone(), self.jobs)),
            limiter: Arc::new(SharedLimiter::new(redis.clone(), self.limiter)),
            redis: Some(redis),
            ..self
        })
    }
}

/// How a MongoDB server is connected to.
pub fn mongo(settings: &Settings, url: &str, name: &str) -> MongoSettings {
    MongoSettings {
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
        Database::Sqlite { .. } => "portcullis:".to_owned(),
        Database::Mongo { name, .. } => format!("portcullis:{name}:"),
    };
    let url = settings.redis.as_ref()?.expose().to_owned();
    let (validate_certificates, ca_file) = (settings.validate_certificates, settings.ca_file.clone());
    Some(RedisSettings { url, prefix, validate_certificates, ca_file })
}

/// The process before this one may still be finishing its requests: the database is waited for.
async fn open_when_free(path: &Path, patience: Duration) -> Result<Embedded, OpenError> {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        match Embedded::open(path) {
            Err(OpenError::Locked { .. }) if began.elapsed() < patience => {}
            opened => return opened,
        }
    }
}

/// A server may come up later than we do.
async fn connect_when_there(settings: &MongoSettings, patience: Duration) -> Result<Mongo, String> {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut told = false;
    loop {
        ticks.tick().await;
        match Mongo::connect(settings).await {
            Ok(store) => return Ok(store),
            Err(error @ ConnectError::Away(_)) if began.elapsed() < patience => {
                if !told {
                    tracing::warn!("MONGO_URL: {error}; trying for {} s", patience.as_secs());
                    told = true;
                }
            }
            Err(error) => return Err(format!("MONGO_URL: {error}. Mend: {}", mend(&error))),
        }
    }
}

/// What to do about a server that cannot be used.
pub const fn mend(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Address(_) => "write it as mongodb://user:password@host:27017/?tls=true.",
        ConnectError::Away(_) => {
            "start the server, or correct host and port; a replica set's members must be reachable by their own names."
        }
        ConnectError::Refused => "correct the user name and password in it, and authSource if they live elsewhere.",
        ConnectError::Certificate(_) => {
            "set TLS_CA_FILE to the certificate of the authority that signs it, and use a name that stands in it."
        }
        ConnectError::TooOld => "upgrade the server.",
        ConnectError::Newer { .. } => "run the version of Portcullis that last used it, or a later one.",
        ConnectError::Other(_) => "see that this user may read, write and make indexes in MONGO_DB.",
    }
}
