//! Builds a server from the settings. The only code that names concrete adapters.

pub mod audit_chain;
pub mod backup;
pub mod check_result;
mod counted;
pub mod doctor;
pub mod erasures;
mod factories;
pub mod keyring;
mod messaging;
pub mod migrate;
pub mod migrate_data;
mod passkeys;
pub mod production;
pub mod reindexing;
pub mod restore;
mod running_server;
mod secret_check;
mod settings_change;
mod stores;
#[cfg(feature = "testkit")]
pub mod testkit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusRecorder;
use portcullis_adapters::audit_chain::writer::ChainWriter;
use portcullis_adapters::messaging::dev_mailbox::{DevMailbox, MailboxParts};
use portcullis_adapters::messaging::links::LinkBuilder;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::redis::Redis;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_adapters::system::clock::SystemClock;
use portcullis_adapters::webhooks::fan_out::FanOutPorts;
use portcullis_core::model::quota::Quota;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::database::Database as Commits;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::service::{AuthService, Ports};

use self::counted::Counted;
pub use self::factories::realms;
use self::factories::{ConfiguredFiles, cipher, digests, hasher, policy, record_macs, signer};
use self::messaging::{Messaging, exported, webhook_sender};
use self::stores::Stores;
use crate::config::{Database, Environment, Settings};
use crate::http::app::{About, App, Count, HashesWaiting, origin_of};
use crate::http::client_disconnect::CancellableHasher;
use crate::http::known_addresses::KnownAddresses;
use crate::http::metric_names;
use crate::http::system::services::SharedHealth;
use crate::http::unlisted_proxies::UnlistedProxies;
use crate::traces::TracedDatabase;

/// How long a start waits for its database.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that is ready to run.
pub struct Server {
    /// The use cases, for the workers.
    pub service: AuthService,
    /// The state of the HTTP handlers.
    pub app: Arc<App>,
    /// Numbers the events of the audit log, where that is on.
    pub audit_writer: Option<ChainWriter>,
}

/// The clock and the randomness, which tests replace.
pub struct ClockAndRandomness {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub randomness: Arc<dyn Randomness>,
}

impl Server {
    /// Builds a server.
    ///
    /// # Errors
    /// The component that could not be opened, with the fix.
    pub async fn compose(
        settings: &Settings,
        address: SocketAddr,
        randomness: Arc<dyn Randomness>,
    ) -> Result<Self, String> {
        Self::compose_in(settings, address, ClockAndRandomness { clock: Arc::new(SystemClock::new()), randomness })
            .await
    }

    /// The same with another clock and randomness.
    ///
    /// # Errors
    /// The component that could not be opened, with the fix.
    pub async fn compose_in(
        settings: &Settings,
        address: SocketAddr,
        world: ClockAndRandomness,
    ) -> Result<Self, String> {
        Self::compose_when_free(settings, address, world, DATABASE_TIMEOUT).await
    }

    async fn compose_when_free(
        settings: &Settings,
        address: SocketAddr,
        world: ClockAndRandomness,
        timeout: Duration,
    ) -> Result<Self, String> {
        let files = ConfiguredFiles::load(settings)?;
        messaging::check_smtputf8(settings).await?;
        let (cipher, digests) = (cipher(settings, world.randomness.clone())?, digests(settings));
        let stores = Stores::open(settings, &cipher, &digests, timeout, &world.clock).await?;
        let stores = stores.with_erasure_ledger(settings, true).await?;
        // a command of an operator does not wait, and is no start
        if let Some(checks) = stores.checks.as_deref().filter(|_| !timeout.is_zero()) {
            settings_change::record(settings, world.clock.now(), &*digests, checks, &*stores.database).await?;
        }
        Self::compose_on(settings, address, Infrastructure { world, files, cipher, digests, stores }, |_| {})
    }

    /// The same on open stores; `adjust` may replace ports.
    fn compose_on(
        settings: &Settings,
        address: SocketAddr,
        infrastructure: Infrastructure,
        adjust: impl FnOnce(&mut Ports),
    ) -> Result<Self, String> {
        let started = Instant::now();
        let recorder = Arc::new(metric_names::recorder().map_err(|error| error.to_string())?);
        let Infrastructure { world, files, cipher, digests, stores } = infrastructure;
        let ClockAndRandomness { clock, randomness } = world;
        let ConfiguredFiles { renderer, breached } = files;
        let realms = realms(settings)?;

        let public_url = settings.public_url.for_listener(address);
        let parts = mailbox_parts(settings, &public_url, (&renderer, &cipher, &clock), stores.sent_messages.clone());
        let Messaging { mailer, sms_sender, outbox } = Messaging::new(settings, parts)?;
        let audit_writer = audit_chain::writer(settings, stores.audit_chain.clone(), &clock)?;
        let (mailer, sms_sender) = (Counted::new(mailer, &recorder), Counted::new(sms_sender, &recorder));
        let about = about(settings, &stores);
        let (hasher, hashes_waiting) = hasher(&settings.hashing, &recorder)?;
        let mut counts = stores.counts;
        let fan_out = FanOutPorts {
            database: stores.database,
            audit: stores.audit,
            webhooks: stores.webhooks.clone(),
            clock: clock.clone(),
            randomness: randomness.clone(),
        };
        let (audit, database) = exported(settings, fan_out, &mut counts)?;
        let mut ports = Ports {
            database: traced(settings, database),
            users: stores.users,
            registrations: stores.registrations,
            sessions: stores.sessions,
            one_time_tokens: stores.one_time_tokens,
            undos: stores.undos,
            credentials: stores.credentials,
            webhooks: stores.webhooks,
            signer: Arc::new(signer(settings, &public_url)?),
            breached: Arc::new(breached),
            cipher,
            digests,
            passkeys: Arc::new(passkeys::verifier(settings, &public_url)?),
            hasher: Arc::new(CancellableHasher(hasher)),
            jobs: stores.jobs,
            mailer,
            sms_sender,
            webhook_sender: Counted::new(webhook_sender(settings, &clock)?, &recorder),
            audit,
            guard: stores.guard,
            limiter: stores.limiter,
            clock,
            randomness,
        };
        adjust(&mut ports);
        let service = AuthService::new(ports, policy(settings));
        let mailbox = (settings.environment == Environment::Development).then_some(outbox);
        let app = app(
            settings,
            service.clone(),
            realms,
            renderer,
            AppParts { mailbox, about, started, redis: stores.redis, counts, public_url, hashes_waiting, recorder },
        )?;
        Ok(Self { service, app: Arc::new(app), audit_writer })
    }
}

/// The parts of the development mailbox.
fn mailbox_parts(
    settings: &Settings,
    public_url: &str,
    (renderer, cipher, clock): (&Arc<Renderer>, &Arc<dyn FieldCipher>, &Arc<dyn Clock>),
    store: Arc<dyn SentMessageStore>,
) -> MailboxParts {
    let app_url = settings.browsers.app_url.as_deref();
    MailboxParts {
        renderer: renderer.clone(),
        links: LinkBuilder::new(public_url.to_owned(), settings.app.name.clone(), app_url),
        cipher: cipher.clone(),
        store,
        clock: clock.clone(),
        forward: None,
        forward_texts: None,
        shown: settings.environment == Environment::Development,
    }
}

/// The database, with spans where traces are exported.
fn traced(settings: &Settings, database: Arc<dyn Commits>) -> Arc<dyn Commits> {
    match &settings.log.collector {
        Some(_) => Arc::new(TracedDatabase(database)),
        None => database,
    }
}

/// The job queue and the log alone, for the command line. SQLite is opened beside a server that may be running on it.
///
/// # Errors
/// The component that could not be opened, with the fix.
pub async fn open_jobs(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Queue, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if let Database::Sqlite { path } = &settings.database {
        let store = Sqlite::open_beside(path, &record_macs(settings)?);
        let store = Arc::new(store.map_err(|error| format!("DATABASE_URL: {error}"))?);
        return Ok(Queue { jobs: store.clone(), database: store, clock });
    }
    let (cipher, digests) = (cipher(settings, randomness)?, digests(settings));
    let Stores { jobs, database, .. } = Stores::open(settings, &cipher, &digests, Duration::ZERO, &clock).await?;
    Ok(Queue { jobs, database, clock })
}

/// The use cases alone, for the command line. Does not wait for a store that is in use.
///
/// # Errors
/// The component that could not be opened, with the fix.
pub async fn open_service(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<AuthService, String> {
    let world = ClockAndRandomness { clock: Arc::new(SystemClock::new()), randomness };
    let nowhere = SocketAddr::from(([127, 0, 0, 1], settings.listen.port));
    Ok(Server::compose_when_free(settings, nowhere, world, Duration::ZERO).await?.service)
}

/// The same beside servers that may be running, on SQLite too.
///
/// # Errors
/// The component that could not be opened, with the fix.
pub async fn open_service_beside(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<AuthService, String> {
    let Database::Sqlite { path } = &settings.database else { return open_service(settings, randomness).await };
    let (cipher, digests) = (cipher(settings, randomness.clone())?, digests(settings));
    let stores = Stores::beside(settings, path, &*cipher, &*digests).await?;
    let stores = stores.with_erasure_ledger(settings, false).await?;
    let infrastructure = Infrastructure {
        files: ConfiguredFiles::load(settings)?,
        world: ClockAndRandomness { clock: Arc::new(SystemClock::new()), randomness },
        cipher,
        digests,
        stores,
    };
    let nowhere = SocketAddr::from(([127, 0, 0, 1], settings.listen.port));
    Ok(Server::compose_on(settings, nowhere, infrastructure, |_| {})?.service)
}

/// The job queue, what commits audit events, and the clock.
pub struct Queue {
    /// The jobs.
    pub jobs: Arc<dyn JobQueue>,
    /// Commits events.
    pub database: Arc<dyn Commits>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Clock, files, secrets and stores of a server.
struct Infrastructure {
    world: ClockAndRandomness,
    files: ConfiguredFiles,
    cipher: Arc<dyn FieldCipher>,
    digests: Arc<dyn KeyedDigest>,
    stores: Stores,
}

/// What [`App`] needs beside the use cases.
struct AppParts {
    mailbox: Option<Arc<DevMailbox>>,
    about: About,
    started: Instant,
    redis: Option<Arc<Redis>>,
    counts: Vec<Count>,
    public_url: String,
    hashes_waiting: HashesWaiting,
    recorder: Arc<PrometheusRecorder>,
}

fn app(
    settings: &Settings,
    service: AuthService,
    realms: Vec<Realm>,
    renderer: Arc<Renderer>,
    parts: AppParts,
) -> Result<App, String> {
    let limits = settings.limits.clone();
    let quotas = move |row: &str| {
        let quota = limits.get(row);
        Quota::new(quota.burst, quota.period)
    };
    let origins =
        settings.cors_origins.iter().map(|origin| origin.parse().map_err(|_| format!("CORS_ORIGINS: {origin}")));
    let unlisted_proxies = UnlistedProxies::default();
    let mut counts = parts.counts;
    counts.push(("portcullis_unlisted_proxy_requests_total", unlisted_proxies.counter()));
    let recorder = parts.recorder;
    Ok(App {
        realms,
        renderer,
        mailbox: parts.mailbox,
        dev_mailbox: settings.dev_mailbox,
        redis: parts.redis,
        quotas: Box::new(quotas),
        trusted_proxies: settings.trusted_proxies.clone(),
        operator_tokens: settings.secrets.operator_token.iter().cloned().collect(),
        service_clients: settings.service_clients.clone(),
        https: settings.public_url.is_https(),
        public_origin: origin_of(&parts.public_url),
        path_prefix: settings.public_url.path(),
        passkey_origins: passkeys::web_origins(settings, &parts.public_url),
        passkey_apps: (settings.passkeys.apple_apps.clone(), settings.passkeys.android_apps.clone()),
        public_url: parts.public_url,
        app_url: settings.browsers.app_url.clone(),
        appearance: settings.browsers.appearance.clone(),
        api_docs: settings.browsers.api_docs,
        cors_origins: origins.collect::<Result<_, _>>()?,
        known_addresses: KnownAddresses::default(),
        unlisted_proxies,
        cors_headers: settings.browsers.cors_headers.clone(),
        health: SharedHealth::default(),
        counts,
        metrics: recorder.handle(),
        recorder,
        hashes_waiting: parts.hashes_waiting,
        draining: AtomicBool::new(false),
        process: crate::http::system::process::ProcessStats::default(),
        about: parts.about,
        started: parts.started,
        openapi: std::sync::OnceLock::new(),
        openapi_document: crate::http::openapi_document::document,
        #[cfg(feature = "testkit")]
        testkit: None,
        request_ids: service.ports.randomness.clone(),
        service,
    })
}

/// Facts about the deployment, for reports.
fn about(settings: &Settings, stores: &Stores) -> About {
    About {
        environment: settings.environment.as_str(),
        allowed_unsafe: settings.allowed_unsafe.clone(),
        database: stores.engine,
        key_ids: settings.secrets.encryption_ring.0.iter().map(|(id, _)| *id).collect(),
        schema_version: stores.schema_version,
        sms_configured: settings.texts.is_some(),
        key_ages: stores.key_ages.clone(),
    }
}
