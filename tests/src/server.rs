//! Starting a server as a deployment would, with a clock that only the test moves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_core::service::AuthService;
use portcullis_server::bootstrap::{ClockAndRandomness, Server};
use portcullis_server::config::{Settings, Sources};
use portcullis_server::http::routes;
use portcullis_server::worker::Workers;
use portcullis_server::{serve, worker};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::store_snapshot;

/// A clock that moves only forward, and only when a test advances it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Settings as from an environment: cheap hashes, no limits, then what the test wants.
///
/// # Panics
/// When the settings are refused.
#[must_use]
pub fn settings(folder: &Path, wanted: &[(&str, &str)]) -> Settings {
    let usual = [
        ("ARGON2_MEMORY_KIB", "64"),
        ("ARGON2_ITERATIONS", "1"),
        ("ENVIRONMENT", "development"),
        ("RATE_LIMITS", "off"),
        ("PORT", "0"),
        ("APP_NAME", "Portcullis"),
    ];
    let all = usual.iter().chain(wanted).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let sources = Sources { environment: all.collect(), working_dir: folder.to_path_buf(), ..Sources::default() };
    Settings::load(sources, &|bytes| OsRandomness.fill(bytes)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Settings of the deployment: none for the embedded one; with `TEST_DEPLOYMENT=mongo` a database of its own and Redis.
#[expect(clippy::disallowed_methods, reason = "where the servers are, a test is told by its environment")]
fn deployment() -> Vec<(String, String)> {
    match std::env::var("TEST_DEPLOYMENT").as_deref() {
        Err(_) | Ok("embedded") => Vec::new(),
        Ok("mongo") => on_servers().unwrap_or_else(|missing| panic!("{missing}")),
        Ok(other) => panic!("TEST_DEPLOYMENT={other} is neither embedded nor mongo"),
    }
}

/// The settings of a deployment on MongoDB and Redis, with a database of its own.
///
/// # Errors
/// When the environment does not say where they are.
#[expect(clippy::disallowed_methods, reason = "where the servers are, a test is told by its environment")]
pub fn on_servers() -> Result<Vec<(String, String)>, String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let of = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set: cargo xtask services"));
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(vec![
        ("MONGO_URL".to_owned(), of("MONGO_TEST_URL")?),
        ("MONGO_DB".to_owned(), format!("stories_{}_{number}", std::process::id())),
        ("REDIS_URL".to_owned(), of("REDIS_TEST_URL")?),
    ])
}

/// A running server.
pub struct TestServer {
    folder: Arc<TempDir>,
    wanted: Vec<(String, String)>,
    clock: Arc<TestClock>,
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    server: Server,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    workers: Workers,
}

impl TestServer {
    /// Starts one on the usual settings.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with settings of the test's own.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(wanted: &[(&str, &str)]) -> Self {
        // what a failing test shows: the first server to start sets it up for all
        let _ = tracing_subscriber::fmt().with_env_filter("warn").with_test_writer().try_init();
        let mut all = deployment();
        all.extend(wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        // the first day of 2027, at noon: far from any real now, so that nothing can lean on the machine's clock
        let clock = Arc::new(TestClock(AtomicI64::new(1_798_804_800_000)));
        let mut server = Self { folder, wanted: all, clock, running: None };
        server.boot().await;
        server
    }

    /// Another instance of the same deployment: the same settings, secrets, stores and time.
    pub async fn second_instance(&self) -> Self {
        self.second_instance_with(&[]).await
    }

    /// Another instance, with additional settings of its own.
    pub async fn second_instance_with(&self, wanted: &[(&str, &str)]) -> Self {
        let own = wanted.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (folder, wanted) = (self.folder.clone(), self.wanted.iter().cloned().chain(own).collect());
        let mut twin = Self { folder, wanted, clock: self.clock.clone(), running: None };
        twin.boot().await;
        twin
    }

    /// Starts the server on the data that are there.
    pub async fn boot(&mut self) {
        self.try_boot().await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The same where the start may be refused.
    ///
    /// # Errors
    /// The refusal.
    pub async fn try_boot(&mut self) -> Result<(), String> {
        let wanted: Vec<(&str, &str)> = self.wanted.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let settings = settings(self.folder.path(), &wanted);
        let listener = serve::bind(&settings.listen).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let world = ClockAndRandomness { clock: self.clock.clone(), randomness: Arc::new(OsRandomness) };
        let server = Server::compose_in(&settings, address, world).await?;
        let (stop, stopped) = oneshot::channel();
        let router = routes::router(server.app.clone());
        let serving = tokio::spawn(serve::run(listener, router, settings.connection_limits(), async move {
            let _ = stopped.await;
        }));
        let workers = worker::start(&server.app);
        self.running = Some(Running { address, server, stop, serving, workers });
        Ok(())
    }

    /// Stops the server in good order.
    pub async fn stop(&mut self) {
        if let Some(Running { stop, serving, workers, server, .. }) = self.running.take() {
            let _ = stop.send(());
            serving.await.expect("serving ends");
            workers.stop().await;
            drop(server);
        }
    }

    /// Stops the server in good order and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    /// The use cases behind it. Keeps its store open until dropped.
    #[must_use]
    pub fn service(&self) -> AuthService {
        self.running().server.service.clone()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running().address
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A folder with everything that is kept: the embedded store's files, or what MongoDB and Redis hold.
    ///
    /// # Panics
    /// When it cannot be asked for.
    pub async fn everything_kept(&self) -> PathBuf {
        let data = self.folder.path().join("data");
        let of = |name: &str| self.wanted.iter().rev().find(|(wanted, _)| wanted == name).map(|(_, value)| value);
        if let (Some(url), Some(database)) = (of("MONGO_URL"), of("MONGO_DB")) {
            let dumped = store_snapshot::mongo(url, database).await.expect("MongoDB tells what it holds");
            std::fs::write(data.join("mongo.dump"), dumped).expect("a file");
        }
        if let (Some(url), Some(database)) = (of("REDIS_URL"), of("MONGO_DB")) {
            let dumped = store_snapshot::redis(url, &format!("portcullis:{database}:")).await;
            std::fs::write(data.join("redis.dump"), dumped.expect("Redis tells what it holds")).expect("a file");
        }
        data
    }

    /// Forgets whatever Redis has of this deployment.
    ///
    /// # Panics
    /// When there is none.
    pub async fn empty_redis(&self) {
        let of = |name: &str| self.wanted.iter().rev().find(|(wanted, _)| wanted == name).map(|(_, value)| value);
        let (url, database) = of("REDIS_URL").zip(of("MONGO_DB")).expect("a deployment with Redis");
        store_snapshot::empty_redis(url, &format!("portcullis:{database}:")).await.expect("Redis forgets");
    }

    /// Calls the command line beside the running server, with its settings and in its folder.
    #[must_use]
    pub fn operator(&self, arguments: &[&str]) -> (i32, String, String) {
        crate::process::call(self.folder.path(), &self.wanted, arguments)
    }

    /// The counter of an adapter, by its metric's name.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        let counts = &self.running().server.app.counts;
        counts.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| count.load(Ordering::Relaxed))
    }

    /// A line of `/metrics`, by its name and labels, once it has that value.
    ///
    /// # Panics
    /// When it has another one after ten seconds.
    pub async fn metric(&self, name: &str, value: u64) {
        let line = format!("{name} {value}");
        let shown = || self.running().server.app.metrics.render();
        let reached = async {
            while !shown().lines().any(|shown| shown == line) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), reached).await.is_ok(), "{line}: {}", shown());
    }

    /// Requests to a realm.
    #[must_use]
    pub fn realm(&self, realm: &str) -> Api {
        Api::new(self.address(), realm)
    }

    /// The settings it was started with.
    #[must_use]
    pub fn wanted(&self) -> Vec<(&str, &str)> {
        self.wanted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Another setting, from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.wanted.push((name.to_owned(), value.to_owned()));
    }

    /// Moves the clock.
    ///
    /// # Panics
    /// For more than the clock can hold.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a sane duration");
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }
}
