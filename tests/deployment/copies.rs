//! Copies in Redis answer for the store, and never for what has ended or changed: whatever happens to Redis.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_tests::fault_proxy::{FaultProxy, Line};
use portcullis_tests::{Api, Person, TestServer, on_servers};
use redis::FromRedisValue;
use reqwest::Method;
use serde_json::json;

const HITS: &str = "portcullis_cache_hits_total";

/// Two instances of one deployment; the second has settings of its own besides.
async fn two(wanted: &[(&str, &str)], of_the_second: &[(&str, &str)]) -> (TestServer, TestServer) {
    let servers = on_servers().unwrap();
    let mut all: Vec<(&str, &str)> = servers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("PUBLIC_URL", "http://auth.example.com"));
    all.extend(wanted);
    let one = TestServer::start_with(&all).await;
    let other = one.twin_with(of_the_second).await;
    (one, other)
}

/// Reads until copies answer.
async fn until_copies_answer(server: &TestServer, api: &Api) {
    let (before, began) = (server.count(HITS), Instant::now());
    while server.count(HITS) < before + 4 {
        let _ = api.get("/").await.expect(200);
        assert!(began.elapsed() < Duration::from_secs(15), "copies never answer");
    }
}

fn at(server: &TestServer, api: &Api) -> Api {
    server.realm("User1").with_token(api.token.as_deref().unwrap())
}

pub async fn they_answer_and_end_with_what_they_copy() {
    let (one, other) = two(&[], &[]).await;
    let (here, _) = one.realm("User1").logged_in(&Person::john()).await;
    let there = at(&other, &here);
    until_copies_answer(&one, &here).await;
    until_copies_answer(&other, &there).await;
    let changed = json!({"first_name": "Johnny"});
    let _ = here.json(Method::PATCH, "/update", &changed).await.expect(200);
    assert_eq!(there.get("/").await.json()["first_name"], "Johnny");
    let _ = here.post("/logout", &json!({})).await.expect(200);
    let _ = there.get("/").await.expect(401);
    let (here, _) = one.realm("User1").session(&Person::john()).await;
    let there = at(&other, &here);
    until_copies_answer(&other, &there).await;
    let (second, _) = other.realm("User1").session(&Person::john()).await;
    let _ = second.post("/logout_all", &json!({})).await.expect(200);
    let _ = here.get("/").await.expect(401);
    let (here, _) = one.realm("User1").session(&Person::john()).await;
    let there = at(&other, &here);
    let _ = there.get("/").await.expect(200);
    let _ = here.delete("/delete").await.expect(200);
    let _ = there.get("/").await.expect(401);
}

/// Reads on and on; whether an answer that began after the end was still good.
fn reading(api: Api, ended: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<bool> {
    tokio::spawn(async move {
        let mut outlived = false;
        while !stop.load(Ordering::SeqCst) {
            let begun_after_the_end = ended.load(Ordering::SeqCst);
            let status = api.get("/").await.status;
            outlived |= begun_after_the_end && status == 200;
        }
        outlived
    })
}

pub async fn no_copy_outlives_a_logout_while_redis_is_emptied_again_and_again() {
    let (one, other) = two(&[], &[]).await;
    let _ = one.realm("User1").logged_in(&Person::john()).await;
    for round in 0..15 {
        let (here, _) = one.realm("User1").session(&Person::john()).await;
        let (ended, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let readers: Vec<_> = [&one, &other, &other]
            .into_iter()
            .map(|server| reading(at(server, &here), ended.clone(), stop.clone()))
            .collect();
        one.empty_redis().await;
        let nothing = json!({});
        let logout = here.post("/logout", &nothing);
        // in one round the emptying comes before, in one in the middle, in one after
        let emptying = async {
            for _ in 0..round {
                other.empty_redis().await;
            }
        };
        let (out, ()) = tokio::join!(logout, emptying);
        let _ = out.expect(200);
        ended.store(true, Ordering::SeqCst);
        for _ in 0..20 {
            let _ = at(&other, &here).get("/").await.expect(401);
        }
        stop.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(!reader.await.unwrap(), "round {round}: a copy outlived the logout");
        }
    }
}

pub async fn who_cannot_reach_redis_takes_copies_back_all_the_same() {
    let servers = on_servers().unwrap();
    let redis = &servers.iter().find(|(name, _)| name == "REDIS_URL").unwrap().1;
    let (line, through) = FaultProxy::before(redis).await;
    let (cut_off, other) = two(&[("REDIS_URL", &through)], &[("REDIS_URL", redis)]).await;
    let _ = cut_off.realm("User1").logged_in(&Person::john()).await;
    for state in [Line::Refused, Line::Hanging] {
        let (here, _) = cut_off.realm("User1").session(&Person::john()).await;
        let there = at(&other, &here);
        until_copies_answer(&other, &there).await;
        line.set(state);
        let began = Instant::now();
        let _ = here.post("/logout", &json!({})).await.expect(200);
        let took = began.elapsed();
        let _ = there.get("/").await.expect(401);
        assert!(took < Duration::from_secs(2), "{state:?}: {took:?}");
        line.set(Line::Up);
    }
}

/// A Redis of the test's own, with its file of a moment.
struct OwnRedis {
    child: Child,
    port: u16,
}

impl OwnRedis {
    fn start(folder: &Path, port: u16) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "redis-server does not come up");
            std::thread::yield_now();
        }
        Self { child, port }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn tell<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        command.query_async(&mut connection).await.unwrap()
    }

    /// Forgets keys, as when they were evicted. How many there were.
    async fn forget(&self, pattern: &str) -> usize {
        let keys: Vec<String> = self.tell(redis::cmd("KEYS").arg(pattern)).await;
        if !keys.is_empty() {
            let _: u64 = self.tell(redis::cmd("DEL").arg(&keys)).await;
        }
        keys.len()
    }

    /// How often a command was run, by scripts too.
    async fn calls(&self, command: &str) -> u64 {
        let told: String = self.tell(redis::cmd("INFO").arg("commandstats")).await;
        let name = format!("cmdstat_{command}:calls=");
        let calls = told.lines().find_map(|line| line.strip_prefix(name.as_str()));
        calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn what_redis_remembers_from_before_its_death_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = OwnRedis::start(folder.path(), port);
    let url = server.url();
    let (one, other) = two(&[("REDIS_URL", &url)], &[]).await;
    let (here, _) = one.realm("User1").logged_in(&Person::john()).await;
    let there = at(&other, &here);
    until_copies_answer(&other, &there).await;
    // the file has the copies; the logout comes after it; the server dies and comes back with the file
    let _: String = server.tell(&redis::cmd("SAVE")).await;
    let _ = here.post("/logout", &json!({})).await.expect(200);
    drop(server);
    let reborn = OwnRedis::start(folder.path(), port);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        let _ = there.get("/").await.expect(401);
    }
    // and it serves again
    let (here, _) = one.realm("User1").session(&Person::john()).await;
    until_copies_answer(&one, &here).await;
    drop(reborn);
}

/// Reads until copies of session and account answer, and once more.
async fn until_nothing_is_looked_up(server: &TestServer, api: &Api) {
    let began = Instant::now();
    for _ in 0..2 {
        loop {
            let hits = server.count(HITS);
            let _ = api.get("/").await.expect(200);
            if server.count(HITS) == hits + 2 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "the store is asked again and again");
        }
    }
}

/// Reads of all at once, each answered with the name of who asks.
async fn read_at_once(people: &[(Api, String)], times: usize) {
    let readers: Vec<_> = people
        .iter()
        .map(|(api, name)| {
            let (api, name) = (api.clone(), name.clone());
            tokio::spawn(async move {
                for _ in 0..times {
                    assert_eq!(api.get("/").await.expect(200).json()["first_name"], *name);
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Somebody with an account and a session, who is called like nobody else.
async fn called(server: &TestServer, name: &str) -> (Api, String) {
    let person = Person::named(&format!("{name}@example.com"));
    let (api, _) = server.realm("User1").logged_in(&person).await;
    let changed = json!({"first_name": name});
    let _ = api.json(Method::PATCH, "/update", &changed).await.expect(200);
    (api, name.to_owned())
}

pub async fn those_who_ask_at_once_are_asked_for_together() {
    let folder = tempfile::tempdir().unwrap();
    let redis = OwnRedis::start(folder.path(), free_port());
    let (one, other) = two(&[("REDIS_URL", &redis.url())], &[]).await;
    let mut people = Vec::new();
    for name in ["Anna", "Bert", "Cleo", "Dora"] {
        people.push(called(&one, name).await);
    }
    let (stranger, _) = called(&other, "Emil").await;
    for (api, _) in &people {
        until_nothing_is_looked_up(&one, api).await;
    }
    // and each with a session that nobody has read
    for name in ["Anna", "Bert", "Cleo", "Dora"] {
        let person = Person::named(&format!("{name}@example.com"));
        let (api, _) = other.realm("User1").session(&person).await;
        people.push((at(&one, &api), name.to_owned()));
    }
    // while the server holds its answers back, everybody comes
    let many: Vec<(Api, String)> = (0..4).flat_map(|_| people.clone()).collect();
    let questions = redis.calls("evalsha").await;
    let _: String = redis.tell(redis::cmd("CLIENT").arg("PAUSE").arg(150).arg("ALL")).await;
    read_at_once(&many, 1).await;
    let questions = redis.calls("evalsha").await - questions;
    assert!(questions < 16, "{questions} questions for 32 reads of which 4 filled");
    // a change of something else has everyone looked at again, once
    for (api, _) in &people {
        until_nothing_is_looked_up(&one, api).await;
    }
    let (hits, looked_at) = (one.count(HITS), redis.calls("getrange").await);
    read_at_once(&many, 30).await;
    let _ = stranger.post("/logout", &json!({})).await.expect(200);
    read_at_once(&many, 30).await;
    let (hits, looked_at) = (one.count(HITS) - hits, redis.calls("getrange").await - looked_at);
    assert!(hits > 3600, "of 3840 looks {hits} were answered by copies");
    assert!(looked_at < hits / 2, "{looked_at} of {hits} copies were looked at");
}

pub async fn every_change_is_known_by_a_name_of_its_own() {
    let (one, other) = two(&[], &[]).await;
    let _ = one.realm("User1").logged_in(&Person::john()).await;
    for _ in 0..3 {
        let (here, _) = one.realm("User1").session(&Person::john()).await;
        let there = at(&other, &here);
        until_nothing_is_looked_up(&other, &there).await;
        let _ = here.post("/logout", &json!({})).await.expect(200);
        let _ = there.get("/").await.expect(401);
    }
}

/// As when a server comes back at once, with its file of a moment before.
pub async fn the_name_of_an_old_file_is_not_the_last_change() {
    let folder = tempfile::tempdir().unwrap();
    let redis = OwnRedis::start(folder.path(), free_port());
    let (one, other) = two(&[("REDIS_URL", &redis.url())], &[]).await;
    let (here, _) = one.realm("User1").logged_in(&Person::john()).await;
    let there = at(&other, &here);
    // the next generation begins at once only when the last one did not begin a moment ago
    tokio::time::sleep(Duration::from_secs(6)).await;
    // seen this moment, by a name that was not there before
    until_nothing_is_looked_up(&other, &there).await;
    let _ = redis.forget("*cache:change*").await;
    until_nothing_is_looked_up(&other, &there).await;
    let keys: Vec<String> = redis.tell(redis::cmd("KEYS").arg("*cache:change*")).await;
    let [key] = &keys[..] else { panic!("{keys:?}") };
    let name: Vec<u8> = redis.tell(redis::cmd("GET").arg(key)).await;
    let _ = here.post("/logout", &json!({})).await.expect(200);
    let _: String = redis.tell(redis::cmd("SET").arg(key).arg(name)).await;
    assert_eq!(redis.forget("*cache:generation").await, 1);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        let _ = there.get("/").await.expect(401);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn a_forgotten_name_of_the_last_change_hides_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let redis = OwnRedis::start(folder.path(), free_port());
    let (one, other) = two(&[("REDIS_URL", &redis.url())], &[]).await;
    let _ = one.realm("User1").logged_in(&Person::john()).await;
    for _ in 0..3 {
        let (here, _) = one.realm("User1").session(&Person::john()).await;
        let there = at(&other, &here);
        until_nothing_is_looked_up(&other, &there).await;
        // it has another name now, and is seen with that
        assert_ne!(redis.forget("*cache:change:*").await, 0);
        until_nothing_is_looked_up(&other, &there).await;
        assert_ne!(redis.forget("*cache:change:*").await, 0);
        let _ = here.post("/logout", &json!({})).await.expect(200);
        let _ = redis.forget("*cache:change:*").await;
        let _ = there.get("/").await.expect(401);
    }
}

pub async fn what_redis_no_longer_has_ends_in_memory_too() {
    let folder = tempfile::tempdir().unwrap();
    let redis = OwnRedis::start(folder.path(), free_port());
    let (one, _other) = two(&[("REDIS_URL", &redis.url())], &[]).await;
    let (here, _) = one.realm("User1").logged_in(&Person::john()).await;
    until_copies_answer(&one, &here).await;
    let missed = || one.count("portcullis_cache_misses_total");
    let before = missed();
    // they run out there without any change
    assert_eq!(redis.forget("*cache:session:*").await + redis.forget("*cache:user:*").await, 2);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let _ = here.get("/").await.expect(200);
    assert_eq!(missed(), before + 2, "the store was asked");
}

pub async fn what_certainly_is_not_there_is_not_looked_up() {
    let roomy = [("RATE_LIMITS", "on"), ("RATE_LIMIT_CREATE", "9999/s"), ("RATE_LIMIT_LOGIN", "9999/s")];
    let (one, other) = two(&roomy, &[]).await;
    let saved =
        || one.count("portcullis_filter_saved_users_total") + other.count("portcullis_filter_saved_users_total");
    let (api, began) = (one.realm("User1"), Instant::now());
    let _ = api.logged_in(&Person::john()).await;
    let mut number = 0;
    while saved() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the filter is never built");
        let person = Person::named(&format!("new{number}@example.com"));
        let _ = api.post("/create", &person.form).await.expect(201);
        let _ = api.mail("mail_email_verify", &person.email).await;
        number += 1;
    }
    // nor is how often an address has failed that never did
    let limits = || one.count("portcullis_filter_saved_limits_total");
    while limits() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the filter of failures is never built");
        let _ = api.session(&Person::john()).await;
    }
    // who has an account is told so, filter or none; and who got one a moment ago too
    let jane = Person::named("jane@example.com");
    let _ = other.realm("User1").verified(&jane).await;
    for person in [Person::john(), jane] {
        let _ = api.post("/create", &person.form).await.expect(201);
        let _ = api.mail("already_registered", &person.email).await;
    }
}

pub async fn an_instance_without_redis_switches_copies_off() {
    let (one, _other) = two(&[], &[]).await;
    let (here, _) = one.realm("User1").logged_in(&Person::john()).await;
    until_copies_answer(&one, &here).await;
    let ended = at(&one, &here);
    // it would take nothing back
    let plain = one.twin_with(&[("REDIS_URL", "")]).await;
    let there = at(&plain, &here);
    let _ = there.post("/logout", &json!({})).await.expect(200);
    let _ = here.get("/").await.expect(401);
    let (here, _) = one.realm("User1").session(&Person::john()).await;
    let before = one.count(HITS);
    for _ in 0..50 {
        let _ = here.get("/").await.expect(200);
    }
    assert_eq!(one.count(HITS), before, "nothing is answered from copies");
    // until somebody says that all have Redis
    drop(plain);
    let settings = portcullis_tests::settings(one.folder(), &one.wanted());
    let told = portcullis_server::compose::migrate::run(&settings, true, Arc::new(OsRandomness)).await.unwrap();
    assert!(told.contains("copies in Redis are on again"), "{told}");
    until_copies_answer(&one, &here).await;
    // and what it ended meanwhile has ended
    let _ = ended.get("/").await.expect(401);
}
