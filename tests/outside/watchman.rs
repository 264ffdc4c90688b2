//! The events that Watchman gets, and that no request waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_adapters::watchman::{WatchmanAuditLog, WatchmanSettings};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_testkit::samples::{realm, user_id};
use portcullis_testkit::world::TestWorld;
use portcullis_tests::watchman_stub::{KEY, WatchmanStub};
use portcullis_tests::{Person, TestServer};

async fn until(what: &str, reached: impl Fn() -> bool) {
    let reached = async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), reached).await.is_ok(), "{what}");
}

fn watched(url: &str) -> (WatchmanAuditLog, Arc<dyn AuditLog>) {
    let ports = TestWorld::new(1).ports();
    let log = ports.audit;
    let settings = WatchmanSettings {
        account: "acc-1".to_owned(),
        token: SecretString::new(KEY),
        url: Some(url.to_owned()),
        service: "Portcullis".to_owned(),
        first_wait: Duration::from_millis(10),
    };
    (WatchmanAuditLog::start(settings, log.clone(), ports.database).unwrap(), log)
}

fn event(kind: EventKind) -> Event {
    Event {
        at: Timestamp::from_millis(0),
        realm: realm("User1"),
        kind,
        user: Some(user_id(1)),
        session: None,
        operator: None,
        detail: None,
    }
}

#[tokio::test]
async fn a_server_tells_of_logins_and_names_nobody() {
    let stub = WatchmanStub::start().await;
    let watchman = [("Account_id", "acc-1"), ("Access_token", KEY), ("WATCHMAN_URL", stub.url.as_str())];
    let server = TestServer::start_with(&watchman).await;
    let api = server.realm("User1");
    let _ = api.logged_in(&Person::john()).await;
    let _ = api.login("john.doe@example.com", "wrong").await.expect(401);
    let told = |name: &str| stub.seen().0.iter().any(|event| event["message"].as_str().unwrap().starts_with(name));
    let all = ["registered", "email_verified", "logged_in", "login_failed"];
    until("all are told, in whatever order", || all.iter().all(|name| told(name))).await;
    let events = stub.seen().0;
    let failed = events.iter().find(|event| event["message"].as_str().unwrap().starts_with("login_failed")).unwrap();
    for (member, value) in [
        ("account_id", "acc-1"),
        ("service", "Portcullis"),
        ("integration", "authentication"),
        ("level", "warning"),
        ("priority", "medium"),
    ] {
        assert_eq!(failed[member], value);
    }
    let all = serde_json::to_string(&events).unwrap();
    assert!(!all.contains("john") && !all.contains("John") && !all.contains("127.0.0"), "{all}");
}

#[tokio::test]
async fn an_event_that_watchman_did_not_accept_is_sent_again() {
    let stub = WatchmanStub::start().await;
    let (watched, log) = watched(&stub.url);
    stub.refuse(2);
    watched.record(event(EventKind::LoggedIn));
    until("told at the third try", || stub.seen().0.len() == 1).await;
    stub.refuse(3);
    watched.record(event(EventKind::LoggedOut));
    until("given up", || watched.dropped().load(Ordering::Relaxed) == 1).await;
    assert_eq!(stub.seen().1, 6);
    assert_eq!(log.of_user(&realm("User1"), &user_id(1), 10).await.unwrap().len(), 2, "the audit log has both");
}

#[tokio::test]
async fn a_full_queue_drops_events_and_no_caller_waits() {
    // no server answers there
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (watched, log) = watched(&format!("http://{}", silent.local_addr().unwrap()));
    let began = Instant::now();
    for _ in 0..3000 {
        watched.record(event(EventKind::LoggedIn));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let dropped = watched.dropped().load(Ordering::Relaxed);
    assert!(dropped > 1000, "{dropped}");
    assert_eq!(log.of_user(&realm("User1"), &user_id(1), 5000).await.unwrap().len(), 3000);
}

#[tokio::test]
async fn refusals_are_exported_once_an_hour_for_each_address() {
    let stub = WatchmanStub::start().await;
    let server = TestServer::start_with(&[
        ("Account_id", "acc-1"),
        ("Access_token", KEY),
        ("WATCHMAN_URL", stub.url.as_str()),
        ("RATE_LIMITS", "on"),
        ("RATE_LIMIT_LOGIN", "2/min"),
    ])
    .await;
    let api = server.realm("User1");
    for _ in 0..5 {
        let _ = api.login("nobody@example.com", "wrong").await;
        let _ = api.with_token("nonsense").get("/").await.expect(401);
    }
    let _ = api.get("/").await.expect(401);
    let count =
        |name: &str| stub.seen().0.iter().filter(|event| event["message"].as_str().unwrap().starts_with(name)).count();
    until("all is told", || count("login_failed") == 2 && count("rate_limit") > 0 && count("token_refused") > 0).await;
    assert_eq!((count("rate_limit_exceeded realm=User1"), count("token_refused realm=User1")), (1, 1));
    let told = stub.seen().0;
    let refused = told
        .iter()
        .find(|event| event["message"] == "rate_limit_exceeded realm=User1 operation=login code=rate_limited")
        .unwrap();
    assert_eq!((refused["integration"].as_str(), refused["level"].as_str()), (Some("violation"), Some("warning")));
}
