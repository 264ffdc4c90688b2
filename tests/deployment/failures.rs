//! The behaviour while a dependency is down, and the recovery without a restart.

use std::time::{Duration, Instant};

use portcullis_tests::fault_proxy::{FaultProxy, Line};
use portcullis_tests::{Answer, Api, Person, TestServer, on_servers};
use serde_json::json;

/// A server with a line to cut between it and MongoDB, and one between it and Redis.
async fn behind_proxies(wanted: &[(&str, &str)]) -> (TestServer, FaultProxy, FaultProxy) {
    let mut all = on_servers().unwrap();
    let mut proxies = Vec::new();
    for name in ["MONGO_URL", "REDIS_URL"] {
        let url = &mut all.iter_mut().find(|(other, _)| other == name).unwrap().1;
        let (proxy, through) = FaultProxy::before(url).await;
        *url = through;
        proxies.push(proxy);
    }
    let redis = proxies.pop().unwrap();
    let mongo = proxies.pop().unwrap();
    let mut settings: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    settings.extend(wanted);
    (TestServer::start_with(&settings).await, mongo, redis)
}

async fn health(api: &Api) -> (u16, String, String, String) {
    let answer = api.get("//health").await;
    let body = answer.json();
    let of = |name: &str| body["services"][name].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), body["status"].as_str().unwrap_or_default().to_owned(), of("database"), of("redis"))
}

pub async fn redis_away_is_degraded_and_nothing_stops() {
    let (server, _mongo, redis) = behind_proxies(&[("RATE_LIMITS", "on")]).await;
    let api = server.realm("User1");
    let (john, refresh) = api.logged_in(&Person::john()).await;
    for line in [Line::Refused, Line::Reset] {
        redis.set(line);
        let (status, overall, database, redis) = health(&api).await;
        assert_eq!((status, overall.as_str()), (200, "degraded"));
        assert_eq!((database.as_str(), redis.as_str()), ("healthy", "unhealthy"));
        let _ = john.get("/").await.expect(200);
    }
    let refresh = api.refresh(&refresh).await.expect(200).member("refresh_token");
    let _ = api.post("/create", &Person::named("jane@example.com").form).await.expect(201);
    let _ = api.mail("mail_email_verify", "jane@example.com").await;
    // the limits hold, stricter: other instances admit as many
    server.advance(Duration::from_secs(60));
    let mut admitted = 0;
    for _ in 0..10 {
        admitted += usize::from(api.login("nobody@example.com", "wrong").await.status == 401);
    }
    assert!((1..=3).contains(&admitted), "{admitted} of five a minute, with Redis away");
    redis.set(Line::Up);
    let began = Instant::now();
    while health(&api).await.1 != "healthy" {
        assert!(began.elapsed() < Duration::from_secs(5), "it heals by itself");
    }
    let _ = api.refresh(&refresh).await.expect(200);
}

pub async fn a_redis_that_hangs_is_left_alone() {
    let (server, _mongo, redis) = behind_proxies(&[("RATE_LIMITS", "on")]).await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    redis.set(Line::Hanging);
    let began = Instant::now();
    for _ in 0..20 {
        let _ = john.get("/").await.expect(200);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}: one waits, and not each", began.elapsed());
}

/// Says soon that it cannot now, when to come again, and nothing of what is behind it.
async fn refused_in_time(what: &str, asked: impl Future<Output = Answer>) {
    let began = Instant::now();
    let answer = asked.await.expect(503);
    assert!(began.elapsed() < Duration::from_millis(2200), "{what} took {:?}", began.elapsed());
    assert!(!answer.header("retry-after").is_empty(), "{what}");
    assert!(!answer.text.to_lowercase().contains("mongo"), "{what}: {}", answer.text);
}

pub async fn mongo_away_is_503_within_two_seconds_and_heals_by_itself() {
    let (server, mongo, _redis) = behind_proxies(&[("SESSION_CACHE_TTL", "0s")]).await;
    let api = server.realm("User1");
    let (john, mut refresh) = api.logged_in(&Person::john()).await;
    for line in [Line::Refused, Line::Reset, Line::Hanging] {
        mongo.set(line);
        // an answer may be a second old
        let began = Instant::now();
        while health(&api).await.0 == 200 {
            assert!(began.elapsed() < Duration::from_millis(2200), "{line:?} is not noticed");
        }
        let (status, overall, database, _) = health(&api).await;
        assert_eq!((status, overall.as_str(), database.as_str()), (503, "unhealthy", "unhealthy"), "{line:?}");
        assert_eq!(api.get("//livez").await.status, 200);
        assert_eq!(api.get("//readyz").await.status, 503);
        refused_in_time("the profile", john.get("/")).await;
        refused_in_time("login", api.login("john.doe@example.com", "x")).await;
        refused_in_time("create", api.post("/create", &Person::named("new@example.com").form)).await;
        refused_in_time("refresh", api.refresh(&refresh)).await;
        refused_in_time("logout", john.post("/logout", &json!({}))).await;
        mongo.set(Line::Up);
        let began = Instant::now();
        while health(&api).await.0 != 200 {
            assert!(began.elapsed() < Duration::from_secs(5), "it heals by itself after {line:?}");
        }
        let _ = john.get("/").await.expect(200);
        refresh = api.refresh(&refresh).await.expect(200).member("refresh_token");
    }
}

pub async fn a_crowd_that_waited_in_vain_stands_in_nobodys_way() {
    let (server, mongo, _redis) = behind_proxies(&[("MAX_CONNECTIONS_PER_ADDRESS", "1000")]).await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    mongo.set(Line::Slow(Duration::from_millis(400)));
    let crowd: Vec<_> = (0..400)
        .map(|_| {
            let john = john.clone();
            tokio::spawn(async move { john.get("/sessions").await.status })
        })
        .collect();
    let mut crowded = 0;
    for one in crowd {
        crowded += u32::from(one.await.unwrap() == 503);
    }
    assert!(crowded > 300, "{crowded} of 400 waited in vain");
    mongo.set(Line::Up);
    let began = Instant::now();
    while john.get("/sessions").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(10), "what nobody waits for any more is still waited for");
    }
}

pub async fn a_slow_mongo_is_only_slow() {
    let (server, mongo, _redis) = behind_proxies(&[]).await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    mongo.set(Line::Slow(Duration::from_millis(100)));
    let _ = john.get("/").await.expect(200);
    let _ = api.login("john.doe@example.com", "wrong").await.expect(401);
    mongo.set(Line::Up);
}
