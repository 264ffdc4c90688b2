//! The backends: what each offers, whether it is there, and how a case gets a fresh one.

use portcullis_tests::record_macs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis_adapters::crypto::breached_passwords::BreachedList;
use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::crypto::password_hasher::{Argon2Pool, Parameters};
use portcullis_adapters::crypto::token_signer::JwtSigner;
use portcullis_adapters::messaging::dev_mailbox::{DevMailbox, MailboxParts};
use portcullis_adapters::messaging::links::LinkBuilder;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_adapters::redis::{
    CacheSettings, CachedSessions, Redis, RedisSettings, SharedDatabase, SharedLimiter, SharedQueue,
};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_adapters::system::clock::SystemClock;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::secret::SecretString;
use portcullis_testkit::contract::Backend;
use portcullis_testkit::world::TestWorld;
use tempfile::TempDir;
use tokio::runtime::Handle;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A backend that no other case uses.
pub struct Opened {
    // dropped in this order: what is open before the folder it is in
    pub backend: Backend,
    /// To be dropped when the case is over.
    pub database: Option<Arc<MongoDb>>,
    _folder: Option<TempDir>,
}

/// A kind of backend.
pub struct Kind {
    /// The name in brackets after its cases.
    pub name: &'static str,
    /// The ports it offers; `None` is every one.
    pub ports: Option<&'static [&'static str]>,
    /// Why it is not there, if it is not.
    pub missing: fn() -> Option<String>,
    /// Makes a fresh one. Runs within the runtime.
    pub open: fn() -> Result<Opened, Error>,
}

/// All kinds of backend.
pub const BACKENDS: &[Kind] = &[
    Kind { name: "fake", ports: None, missing: here, open: || Ok(fake()) },
    Kind { name: "embedded", ports: Some(STORES), missing: here, open: embedded },
    Kind { name: "mongo", ports: Some(STORES), missing: no_mongo, open: mongo },
    Kind { name: "redis", ports: Some(&["job_queue", "rate_limiter"]), missing: no_redis, open: redis },
    Kind { name: "cache", ports: Some(CACHED), missing: no_servers, open: cache },
    Kind { name: "crypto", ports: Some(CRYPTO), missing: here, open: crypto },
    Kind { name: "eddsa", ports: Some(&["token_signer"]), missing: here, open: eddsa },
    Kind { name: "es256", ports: Some(&["token_signer"]), missing: here, open: es256 },
    Kind { name: "system", ports: Some(&["clock", "randomness"]), missing: here, open: || Ok(system()) },
    Kind { name: "outbox", ports: Some(&["mailer", "sms_sender"]), missing: here, open: outbox },
];

/// The store behind the session cache, and the ports that commit with it.
const CACHED: &[&str] = &["database", "session_store", "job_queue"];

const STORES: &[&str] = &[
    "database",
    "user_store",
    "registration_store",
    "session_store",
    "one_time_token_store",
    "undo_store",
    "credential_store",
    "webhook_store",
    "job_queue",
    "audit_log",
    "audit_chain_store",
    "login_guard",
    "rate_limiter",
    "check_value_store",
    "key_rotation_store",
    "sent_message_store",
];

const CRYPTO: &[&str] = &["token_signer", "breached_passwords", "field_cipher", "keyed_digest", "password_hasher"];

const fn here() -> Option<String> {
    None
}

const fn without_folder(backend: Backend) -> Opened {
    Opened { backend, database: None, _folder: None }
}

fn fake() -> Opened {
    without_folder(Backend::of_fakes(&TestWorld::new(1)))
}

fn embedded() -> Result<Opened, Error> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(Sqlite::open(&folder.path().join("portcullis.db"), &record_macs::of_ring(&[1]))?);
    let backend = Backend {
        database: Some(store.clone()),
        user_store: Some(store.clone()),
        registration_store: Some(store.clone()),
        session_store: Some(store.clone()),
        one_time_token_store: Some(store.clone()),
        undo_store: Some(store.clone()),
        credential_store: Some(store.clone()),
        webhook_store: Some(store.clone()),
        job_queue: Some(store.clone()),
        audit_log: Some(store.clone()),
        audit_chain_store: Some(store.clone()),
        login_guard: Some(store.clone()),
        rate_limiter: Some(store.clone()),
        check_value_store: Some(store.clone()),
        key_rotation_store: Some(store.clone()),
        sent_message_store: Some(store),
        ..Backend::default()
    };
    Ok(Opened { backend, database: None, _folder: Some(folder) })
}

#[expect(clippy::disallowed_methods, reason = "where the servers are, a test is told by its environment")]
fn server(name: &str) -> Result<String, Error> {
    Ok(std::env::var(name).map_err(|_| format!("{name} is not set: cargo xtask services"))?)
}

fn no_mongo() -> Option<String> {
    server("MONGO_TEST_URL").err().map(|error| error.to_string())
}

fn no_redis() -> Option<String> {
    server("REDIS_TEST_URL").err().map(|error| error.to_string())
}

/// The ports on Redis; fakes for data of which Redis must not have the only copy.
fn redis() -> Result<Opened, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let prefix = format!("contract:{}:{number}:", std::process::id());
    let redis = Arc::new(Redis::prepare(&RedisSettings {
        url: SecretString::new(server("REDIS_TEST_URL")?),
        prefix,
        validate_certificates: true,
        ca_file: None,
    })?);
    let kept = TestWorld::new(1).ports();
    let backend = Backend {
        database: Some(Arc::new(SharedDatabase::new(redis.clone(), kept.database, true))),
        job_queue: Some(Arc::new(SharedQueue::new(redis.clone(), kept.jobs))),
        rate_limiter: Some(Arc::new(SharedLimiter::new(redis, kept.limiter))),
        ..Backend::default()
    };
    Ok(without_folder(backend))
}

fn no_servers() -> Option<String> {
    no_mongo().or_else(no_redis)
}

/// MongoDB with the session cache in front.
fn cache() -> Result<Opened, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let opened = mongo()?;
    let store = opened.database.clone().ok_or("a database")?;
    let redis = Arc::new(Redis::prepare(&RedisSettings {
        url: SecretString::new(server("REDIS_TEST_URL")?),
        prefix: format!("cache:{}:{number}:", std::process::id()),
        validate_certificates: true,
        ca_file: None,
    })?);
    let time_to_live = Duration::from_secs(5);
    let settings = CacheSettings {
        time_to_live,
        cipher: cipher()?,
        digests: Arc::new(HmacDigest::new(b"another secret of the contract suite")),
        clock: Arc::new(SystemClock::new()),
    };
    let backend = Backend {
        database: Some(Arc::new(SharedDatabase::new(redis.clone(), store.clone(), true))),
        session_store: Some(Arc::new(CachedSessions::new(redis, store, settings))),
        ..opened.backend.clone()
    };
    Ok(Opened { backend, ..opened })
}

/// A database of its own, which goes when the case is over.
fn mongo() -> Result<Opened, Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let settings = MongoDbSettings {
        url: server("MONGO_TEST_URL")?,
        database: format!("contract_{}_{number}", std::process::id()),
        validate_certificates: true,
        ca_file: None,
    };
    let store = tokio::task::block_in_place(|| {
        Handle::current().block_on(MongoDb::connect(&settings, &record_macs::of_ring(&[1])))
    })?;
    let store = Arc::new(store);
    let backend = Backend {
        database: Some(store.clone()),
        user_store: Some(store.clone()),
        registration_store: Some(store.clone()),
        session_store: Some(store.clone()),
        one_time_token_store: Some(store.clone()),
        undo_store: Some(store.clone()),
        credential_store: Some(store.clone()),
        webhook_store: Some(store.clone()),
        job_queue: Some(store.clone()),
        audit_log: Some(store.clone()),
        audit_chain_store: Some(store.clone()),
        login_guard: Some(store.clone()),
        rate_limiter: Some(store.clone()),
        check_value_store: Some(store.clone()),
        key_rotation_store: Some(store.clone()),
        sent_message_store: Some(store.clone()),
        ..Backend::default()
    };
    Ok(Opened { backend, database: Some(store), _folder: None })
}

fn cipher() -> Result<Arc<AesGcmCipher>, Error> {
    Ok(Arc::new(AesGcmCipher::new(&[(2, [2; 32]), (1, [1; 32])], Arc::new(OsRandomness))?))
}

fn crypto() -> Result<Opened, Error> {
    // the lowest cost that Argon2 accepts: these tests do not depend on the cost
    let quick = Parameters { memory_kib: 8, iterations: 1, parallelism: 1 };
    let backend = Backend {
        token_signer: Some(Arc::new(JwtSigner::hs256(&SIGNING_RING, ISSUER)?)),
        breached_passwords: Some(Arc::new(BreachedList::load(None)?)),
        field_cipher: Some(cipher()?),
        keyed_digest: Some(Arc::new(HmacDigest::new(b"another secret of the contract suite"))),
        password_hasher: Some(Arc::new(Argon2Pool::start(quick, 2, 64)?)),
        ..Backend::default()
    };
    Ok(without_folder(backend))
}

const ISSUER: &str = "https://portcullis.test";

const SIGNING_RING: [(u32, &str); 1] = [(1, "a secret of the contract that nobody else has")];

fn eddsa() -> Result<Opened, Error> {
    let signer = JwtSigner::eddsa(&SIGNING_RING, ISSUER)?;
    Ok(without_folder(Backend { token_signer: Some(Arc::new(signer)), ..Backend::default() }))
}

fn es256() -> Result<Opened, Error> {
    let signer = JwtSigner::es256(&SIGNING_RING, ISSUER)?;
    Ok(without_folder(Backend { token_signer: Some(Arc::new(signer)), ..Backend::default() }))
}

fn system() -> Opened {
    let (clock, randomness) = (Arc::new(SystemClock::new()), Arc::new(OsRandomness));
    without_folder(Backend { clock: Some(clock), randomness: Some(randomness), ..Backend::default() })
}

fn outbox() -> Result<Opened, Error> {
    let folder = tempfile::tempdir()?;
    let mailbox = Arc::new(DevMailbox::new(MailboxParts {
        renderer: Arc::new(Renderer::new(None)?),
        links: LinkBuilder::new(ISSUER.to_owned(), "Portcullis".to_owned(), None),
        cipher: cipher()?,
        store: Arc::new(Sqlite::open(&folder.path().join("portcullis.db"), &record_macs::of_ring(&[1]))?),
        clock: Arc::new(SystemClock::new()),
        forward: None,
        forward_texts: None,
        shown: true,
    }));
    let backend = Backend { mailer: Some(mailbox.clone()), sms_sender: Some(mailbox), ..Backend::default() };
    Ok(Opened { backend, database: None, _folder: Some(folder) })
}
