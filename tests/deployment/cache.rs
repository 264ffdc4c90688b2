//! The session cache in Redis: it answers for MongoDB, and nothing that happens to Redis extends a session beyond its time.

use std::time::Duration;

use portcullis_tests::fault_proxy::{FaultProxy, Line};
use portcullis_tests::{Api, Person, TestServer, on_servers};
use serde_json::json;

const TTL: Duration = Duration::from_secs(5);

type Settings = Vec<(String, String)>;

fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn of<'a>(settings: &'a Settings, name: &str) -> &'a str {
    &settings.iter().find(|(other, _)| other == name).unwrap().1
}

/// A server, a second instance whose line to Redis can be cut, and a connection to Redis.
struct Instances {
    server: TestServer,
    second: TestServer,
    line: FaultProxy,
    redis: redis::aio::MultiplexedConnection,
    prefix: String,
}

impl Instances {
    async fn start() -> Self {
        let mut settings = on_servers().unwrap();
        // both instances issue and accept the same tokens
        settings.push(("PUBLIC_URL".to_owned(), "http://auth.example.com".to_owned()));
        let server = TestServer::start_with(&borrowed(&settings)).await;
        let (line, through) = FaultProxy::before(of(&settings, "REDIS_URL")).await;
        let second = server.second_instance_with(&[("REDIS_URL", &through)]).await;
        let client = redis::Client::open(of(&settings, "REDIS_URL")).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let prefix = format!("portcullis:{}:", of(&settings, "MONGO_DB"));
        Self { server, second, line, redis, prefix }
    }

    async fn keys(&self, kind: &str) -> Vec<String> {
        let pattern = format!("{}{kind}:*", self.prefix);
        redis::cmd("KEYS").arg(pattern).query_async(&mut self.redis.clone()).await.unwrap()
    }

    async fn dump(&self, key: &str) -> Vec<u8> {
        redis::cmd("GET").arg(key).query_async(&mut self.redis.clone()).await.unwrap()
    }

    async fn put_back(&self, key: &str, value: &[u8]) {
        redis::cmd("SET").arg(key).arg(value).query_async::<()>(&mut self.redis.clone()).await.unwrap();
    }

    async fn remove(&self, keys: &[String]) {
        for key in keys {
            redis::cmd("DEL").arg(key).query_async::<()>(&mut self.redis.clone()).await.unwrap();
        }
    }
}

/// A logged-in user whose session is cached.
async fn cached(instances: &Instances) -> Api {
    let (john, _) = instances.server.realm("User1").logged_in(&Person::john()).await;
    // commits before the login may have left tombstones: the cache is filled once they are over
    let tombstones = instances.keys("tombstone").await;
    instances.remove(&tombstones).await;
    let _ = john.get("/").await.expect(200);
    assert_eq!(instances.keys("session").await.len(), 1, "the session is cached");
    john
}

pub async fn an_entry_is_sealed_and_answers_until_its_time_is_over() {
    let instances = Instances::start().await;
    let john = cached(&instances).await;
    let key = instances.keys("session").await.remove(0);
    let entry = String::from_utf8_lossy(&instances.dump(&key).await).into_owned();
    assert!(!entry.contains("john") && !entry.contains("argon2"), "{entry}");
    let _ = john.get("/").await.expect(200);
    // a copy from an old file, put back when its time is over, is ignored
    let old = instances.dump(&key).await;
    instances.server.advance(TTL);
    instances.put_back(&key, &old).await;
    let _ = john.post("/logout", &json!({})).await.expect(200);
    let tombstones = instances.keys("tombstone").await;
    instances.remove(&tombstones).await;
    let _ = john.get("/").await.expect(401);
}

pub async fn a_logout_is_honoured_by_the_next_request_on_every_instance() {
    let instances = Instances::start().await;
    let john = cached(&instances).await;
    let there = instances.second.realm("User1").with_token(john.token.as_deref().unwrap());
    let _ = there.get("/").await.expect(200);
    let key = instances.keys("session").await.remove(0);
    let old = instances.dump(&key).await;
    let _ = john.post("/logout", &json!({})).await.expect(200);
    let _ = there.get("/").await.expect(401);
    // a fill that read before the logout arrives late
    instances.put_back(&key, &old).await;
    let _ = there.get("/").await.expect(401);
    let _ = john.get("/").await.expect(401);
}

pub async fn what_a_stranger_writes_is_not_believed() {
    let instances = Instances::start().await;
    let john = cached(&instances).await;
    let key = instances.keys("session").await.remove(0);
    let (jane, _) = instances.server.realm("User1").logged_in(&Person::named("jane@example.com")).await;
    let tombstones = instances.keys("tombstone").await;
    instances.remove(&tombstones).await;
    let _ = jane.get("/").await.expect(200);
    let of_jane = instances.keys("session").await.into_iter().find(|other| *other != key).unwrap();
    let sealed = instances.dump(&of_jane).await;
    // another session's entry, a cut one, noise and nothing
    for forged in [sealed.clone(), sealed[..20].to_vec(), b"noise".to_vec(), Vec::new()] {
        instances.put_back(&key, &forged).await;
        assert_eq!(john.get("/").await.expect(200).json()["email"], "john.doe@example.com");
    }
    redis::cmd("DEL").arg(&key).query_async::<()>(&mut instances.redis.clone()).await.unwrap();
    redis::cmd("LPUSH").arg(&key).arg("a list").query_async::<()>(&mut instances.redis.clone()).await.unwrap();
    assert_eq!(john.get("/").await.expect(200).json()["email"], "john.doe@example.com");
}

pub async fn an_instance_that_cannot_reach_redis_extends_nothing_beyond_the_time_to_live() {
    let instances = Instances::start().await;
    let john = cached(&instances).await;
    let there = instances.second.realm("User1").with_token(john.token.as_deref().unwrap());
    for line in [Line::Refused, Line::Hanging] {
        instances.line.set(line);
        let _ = there.get("/").await.expect(200);
    }
    // it can't write a tombstone: the other instance may go on for the time to live, and no longer
    let _ = there.post("/logout", &json!({})).await.expect(200);
    let _ = there.get("/").await.expect(401);
    instances.server.advance(TTL);
    let _ = john.get("/").await.expect(401);
}

pub async fn an_emptied_redis_ends_nothing_and_revives_nothing() {
    let instances = Instances::start().await;
    let john = cached(&instances).await;
    let (sessions, tombstones) = (instances.keys("session").await, instances.keys("tombstone").await);
    instances.remove(&[sessions, tombstones].concat()).await;
    let _ = john.get("/").await.expect(200);
    let _ = john.post("/logout", &json!({})).await.expect(200);
    let (sessions, tombstones) = (instances.keys("session").await, instances.keys("tombstone").await);
    instances.remove(&[sessions, tombstones].concat()).await;
    let _ = john.get("/").await.expect(401);
}

pub async fn a_time_to_live_of_zero_switches_the_cache_off() {
    let mut settings = on_servers().unwrap();
    settings.push(("SESSION_CACHE_TTL".to_owned(), "0s".to_owned()));
    let server = TestServer::start_with(&borrowed(&settings)).await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let _ = john.get("/").await.expect(200);
    let client = redis::Client::open(of(&settings, "REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("portcullis:{}:session:*", of(&settings, "MONGO_DB"));
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
    assert!(keys.is_empty());
}
