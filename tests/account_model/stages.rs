//! Where lives are played: crypto, mail and time are fakes, stores are real; or all of it is behind a socket.

use portcullis_tests::record_macs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_adapters::mongodb::{MongoDb, MongoDbSettings};
use portcullis_adapters::redis::{
    CacheSettings, CachedSessions, Redis, RedisSettings, SharedDatabase, SharedLimiter, SharedQueue,
};
use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::secret::SecretString;
use portcullis_core::service::Ports;
use portcullis_testkit::account_model::{Harness, ModelRun, ServiceDriver, Waiting};
use portcullis_testkit::world::TestWorld;
use portcullis_tests::account_model_over_http::HttpDriver;
use portcullis_tests::testkit::{RunningTestkit, SERVICE};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// A service on stores of its own, beside fakes of whatever keeps nothing.
fn on(world: &TestWorld, ports: Ports) -> ModelRun<ServiceDriver> {
    ModelRun::new(ServiceDriver::over_ports(world, ports))
}

/// A file of its own.
pub struct OverSqlite {
    model: ModelRun<ServiceDriver>,
    _folder: TempDir,
}

impl Harness for OverSqlite {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        let _inside = runtime().enter();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store =
            Arc::new(Sqlite::open(&folder.path().join("portcullis.db"), &record_macs::of_ring(&[1])).expect("a store"));
        let world = TestWorld::new(7);
        let ports = Ports {
            database: store.clone(),
            users: store.clone(),
            registrations: store.clone(),
            sessions: store.clone(),
            one_time_tokens: store.clone(),
            undos: store.clone(),
            jobs: store.clone(),
            audit: store.clone(),
            guard: store.clone(),
            limiter: store,
            ..world.ports()
        };
        Self { model: on(&world, ports), _folder: folder }
    }

    fn model(&mut self) -> &mut ModelRun<ServiceDriver> {
        &mut self.model
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<ServiceDriver>) -> Waiting<'a, T>) -> T {
        runtime().block_on(work(&mut self.model))
    }
}

#[expect(clippy::disallowed_methods, reason = "where the servers are, a test is told by its environment")]
fn server(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: cargo xtask services"))
}

/// Why there is no MongoDB or no Redis.
pub fn no_servers() -> Option<String> {
    server("MONGO_TEST_URL").and_then(|_| server("REDIS_TEST_URL")).err()
}

/// A database of its own, which goes with the life, and Redis in front.
pub struct OverMongo {
    model: ModelRun<ServiceDriver>,
    store: Arc<MongoDb>,
}

impl Harness for OverMongo {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("life_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let _inside = runtime().enter();
        let settings = MongoDbSettings {
            url: server("MONGO_TEST_URL").expect("a server"),
            database: name.clone(),
            validate_certificates: true,
            ca_file: None,
        };
        let store =
            Arc::new(runtime().block_on(MongoDb::connect(&settings, &record_macs::of_ring(&[1]))).expect("a database"));
        let url = SecretString::new(server("REDIS_TEST_URL").expect("a server"));
        let prefix = format!("portcullis:{name}:");
        let redis = Redis::prepare(&RedisSettings { url, prefix, validate_certificates: true, ca_file: None });
        let redis = Arc::new(redis.expect("Redis"));
        let world = TestWorld::new(7);
        let fakes = world.ports();
        let time_to_live = Duration::from_secs(5);
        let cache = CacheSettings { time_to_live, cipher: fakes.cipher, digests: fakes.digests, clock: fakes.clock };
        let ports = Ports {
            database: Arc::new(SharedDatabase::new(redis.clone(), store.clone(), true)),
            users: store.clone(),
            registrations: store.clone(),
            sessions: Arc::new(CachedSessions::new(redis.clone(), store.clone(), cache)),
            one_time_tokens: store.clone(),
            undos: store.clone(),
            jobs: Arc::new(SharedQueue::new(redis.clone(), store.clone())),
            audit: store.clone(),
            guard: store.clone(),
            limiter: Arc::new(SharedLimiter::new(redis, store.clone())),
            ..world.ports()
        };
        Self { model: on(&world, ports), store }
    }

    fn model(&mut self) -> &mut ModelRun<ServiceDriver> {
        &mut self.model
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<ServiceDriver>) -> Waiting<'a, T>) -> T {
        runtime().block_on(work(&mut self.model))
    }
}

impl Drop for OverMongo {
    fn drop(&mut self) {
        let _ = runtime().block_on(self.store.drop_database());
    }
}

/// A server behind a socket, as it began.
pub struct OverHttp {
    model: ModelRun<HttpDriver>,
}

impl Harness for OverHttp {
    type Driver = HttpDriver;

    fn set_up() -> Self {
        static SERVER: OnceLock<RunningTestkit> = OnceLock::new();
        let running = SERVER.get_or_init(|| {
            runtime().block_on(RunningTestkit::without_background(&[("MFA_POLICY", "User2:required")])).0
        });
        let driver = HttpDriver::new(running.address, (SERVICE.0.to_owned(), SERVICE.1.to_owned()));
        runtime().block_on(driver.begin_anew());
        Self { model: ModelRun::new(driver) }
    }

    fn model(&mut self) -> &mut ModelRun<HttpDriver> {
        &mut self.model
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<HttpDriver>) -> Waiting<'a, T>) -> T {
        runtime().block_on(work(&mut self.model))
    }
}
