//! Events about refusals, settings and keys, and about the reading of the audit log itself.

use std::time::{Duration, Instant};

use portcullis_core::model::credential::Scope;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_api::{admin, at, issue, json_of};

/// The events of a kind in a realm, the newest first.
pub fn events(server: &TestServer, realm: &str, kind: &str) -> Vec<Value> {
    let listed = json_of(server, &["audit", "list", "--realm", realm, "--kind", kind]);
    listed["events"].as_array().cloned().unwrap_or_default()
}

/// Waits until the events of a kind have these members, in any order: events without a change are written a moment later, and
/// those of two processes have no order within a second. Counts of refusals are left out.
async fn expect(server: &TestServer, (realm, kind): (&str, &str), name: &str, expected: &[&str]) {
    let mut expected: Vec<String> = expected.iter().map(|&text| text.to_owned()).collect();
    expected.sort();
    let began = Instant::now();
    loop {
        let all = events(server, realm, kind);
        let counted = |event: &&Value| event["detail"].as_str().is_some_and(|detail| detail.starts_with("more="));
        let of = |event: &Value| event[name].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<String> = all.iter().filter(|event| !counted(event)).map(of).collect();
        found.sort();
        if found == expected || began.elapsed() > Duration::from_secs(10) {
            assert_eq!(found, expected, "{kind} of {realm}: {all:?}");
            return;
        }
        // the server writes in the meantime: it has the same thread
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_refusal_of_a_known_caller_of_the_admin_api_names_the_caller_the_operation_and_the_code() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "on")]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let (small, text) = issue(&server, "User1", &[Scope::Observe]);
    let elsewhere = issue(&server, "User2", &Scope::ALL);
    let _ = api.with_token(&text).get(&at("/audit")).await.expect(403);
    let _ = api.with_token(&text).get(&at("/dead-letters")).await.expect(403);
    let _ = john.get(&at("/audit")).await.expect(403);
    let _ = api.with_token(&elsewhere.1).get(&at("/audit")).await.expect(401);
    // each caller once an hour
    let denied = ("User1", "access_denied");
    expect(&server, denied, "operator", &[&format!("account {id}"), &format!("operator token {small}")]).await;
    expect(&server, denied, "user", &[&id, ""]).await;
    expect(&server, denied, "detail", &["operation=admin_audit code=forbidden"; 2]).await;
    let other = format!("operator token {} of User2", elsewhere.0);
    expect(&server, ("User1", "token_refused"), "operator", &[&other]).await;
    server.advance(Duration::from_secs(3600));
    let _ = api.with_token(&text).get(&at("/dead-letters")).await.expect(403);
    let [audit, letters] = ["operation=admin_audit code=forbidden", "operation=admin_dead_letters code=forbidden"];
    expect(&server, denied, "detail", &[audit, audit, letters]).await;
}

#[tokio::test]
async fn an_administrator_without_a_recent_second_factor_is_an_event() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let _ = crate::totp::enrol(&server, &john).await;
    let roles = json_of(&server, &["users", "roles", &id, "--realm", "User1", "--add", "admin", "--add", "support"]);
    assert_eq!(roles["roles"], json!(["admin", "support"]));
    let _ = john.get(&at("/audit")).await.expect(403);
    expect(&server, ("User1", "access_denied"), "detail", &["operation=admin_audit code=reauthentication_required"])
        .await;
    let _ = json_of(&server, &["users", "roles", &id, "--realm", "User1", "--remove", "admin", "--add", "billing"]);
    let changes = ["added=admin,support", "added=billing removed=admin"];
    expect(&server, ("User1", "roles_changed"), "detail", &changes).await;
}

#[tokio::test]
async fn guesses_at_credentials_of_services_and_operators_are_events() {
    const CLIENT: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-reports";
    let clients = format!("reports:{CLIENT}@User1");
    let server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("SERVICE_CLIENTS", &clients)]).await;
    let api = server.realm("User1");
    let refused = async |realm: &str, details: &[&str]| {
        expect(&server, (realm, "credentials_refused"), "detail", details).await;
    };
    let [introspection, token, metrics] = [
        "operation=introspect code=invalid_client",
        "operation=token code=invalid_client",
        "operation=metrics code=not_authenticated",
    ];
    let introspect = || api.request(Method::POST, "/introspect").form(&[("token", "x")]);
    let _ = api.send(introspect()).await.expect(401);
    let _ = api.send(introspect().basic_auth("reports", Some(CLIENT))).await.expect(200);
    // without credentials there is no guess
    refused("User1", &[]).await;
    let _ = api.send(introspect().basic_auth("reports", Some("a guess"))).await.expect(401);
    let _ = api.send(introspect().bearer_auth("a guess")).await.expect(401);
    // once an hour and address
    refused("User1", &[introspection]).await;
    server.advance(Duration::from_secs(3600));
    let posted = [("token", "x"), ("client_id", "reports"), ("client_secret", "a guess")];
    let _ = api.send(api.request(Method::POST, "/introspect").form(&posted)).await.expect(401);
    refused("User1", &[introspection, introspection]).await;
    server.advance(Duration::from_secs(3600));
    let grant = api.request(Method::POST, "/token").form(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
    let _ = api.send(grant.basic_auth("reports", Some("a guess"))).await.expect(401);
    refused("User1", &[introspection, introspection, token]).await;
    refused("User2", &[]).await;
    server.advance(Duration::from_secs(3600));
    let _ = api.with_token("a guess").get("//metrics").await.expect(401);
    refused("User1", &[introspection, introspection, token, metrics]).await;
    refused("User2", &[metrics]).await;
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_events_and_a_count() {
    let mut server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("RATE_LIMIT_LOGIN", "1/h")]).await;
    let api = server.realm("User1");
    let _ = api.login("nobody@example.com", "wrong").await.expect(401);
    for _ in 0..20 {
        let _ = api.login("nobody@example.com", "wrong").await.expect(429);
    }
    expect(&server, ("User1", "rate_limit_exceeded"), "detail", &["operation=login code=rate_limited"]).await;
    // a stop records what was counted since the last minute
    server.restart().await;
    let after = events(&server, "User1", "rate_limit_exceeded");
    let counts = after.iter().filter_map(|event| event["detail"].as_str()?.strip_prefix("more=")?.parse::<u32>().ok());
    assert_eq!((counts.sum::<u32>(), after.len() > 1), (19, true), "{after:?}");
}

#[tokio::test]
async fn a_start_with_other_settings_names_them_without_a_value() {
    let mut server = TestServer::start_with(&[("APP_NAME", "One"), ("MAIL_FROM_NAME", "Gate")]).await;
    server.restart().await;
    assert_eq!(events(&server, "User1", "settings_changed"), Vec::<Value>::new());
    server.set("APP_NAME", "Two");
    server.set("MAIL_FROM_NAME", "");
    server.set("OPERATOR_TOKEN", "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-operator");
    server.set("OTP_TTL", "4m");
    server.restart().await;
    for realm in ["User1", "User2"] {
        let changed = "added=OTP_TTL changed=APP_NAME,OPERATOR_TOKEN removed=MAIL_FROM_NAME";
        expect(&server, (realm, "settings_changed"), "detail", &[changed]).await;
    }
    server.restart().await;
    assert_eq!(events(&server, "User1", "settings_changed").len(), 1, "the same settings are no event");
}

#[tokio::test]
async fn reading_the_events_of_an_account_is_an_event_with_its_reason() {
    let server = TestServer::start().await;
    let id = server.realm("User1").verified(&Person::john()).await;
    let read = || events(&server, "User1", "audit_read");
    let of_account = ["audit", "list", "--realm", "User1", "--user", &id, "--reason", "ticket 4711"];
    let listed = json_of(&server, &of_account);
    let own = listed["events"].as_array().unwrap().iter().find(|event| event["event"] == "audit_read").unwrap();
    assert_eq!(read().len(), 1, "a list that names no account is no event");
    assert_eq!((own["user"].as_str(), own["reason"].as_str()), (Some(&*id), Some("ticket 4711")), "in its own answer");
    let api = admin(&server, "User1");
    let _ = api.get(&at(&format!("/audit?user={id}&reason=ticket%2012"))).await.expect(200);
    // read at once: it was stored before the answer
    let reasons: Vec<Value> =
        read().iter().filter(|event| event["user"] == *id).map(|event| event["reason"].clone()).collect();
    assert!(reasons.len() == 2 && reasons.contains(&json!("ticket 12")), "{reasons:?}");
}
