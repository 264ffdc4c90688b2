//! Events about refusals, settings and keys, and about the reading of the audit log itself.

use std::time::Duration;

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

/// A member of each event, the newest first.
fn members(events: &[Value], name: &str) -> Vec<String> {
    events.iter().map(|event| event[name].as_str().unwrap_or_default().to_owned()).collect()
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
    let denied = events(&server, "User1", "access_denied");
    let callers = [format!("account {id}"), format!("operator token {small}")];
    assert_eq!(members(&denied, "operator"), callers, "each caller once an hour");
    assert_eq!(members(&denied, "user"), [id, String::new()]);
    assert_eq!(members(&denied, "detail"), ["operation=admin_audit code=forbidden"; 2]);
    let refused = events(&server, "User1", "token_refused");
    assert_eq!(members(&refused, "operator"), [format!("operator token {} of User2", elsewhere.0)]);
    server.advance(Duration::from_secs(3600));
    let _ = api.with_token(&text).get(&at("/dead-letters")).await.expect(403);
    let newest = &events(&server, "User1", "access_denied")[0];
    assert_eq!(newest["detail"], "operation=admin_dead_letters code=forbidden");
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
    let denied = events(&server, "User1", "access_denied");
    assert_eq!(members(&denied, "detail"), ["operation=admin_audit code=reauthentication_required"]);
    let _ = json_of(&server, &["users", "roles", &id, "--realm", "User1", "--remove", "admin", "--add", "billing"]);
    let changes = events(&server, "User1", "roles_changed");
    assert_eq!(members(&changes, "detail"), ["added=billing removed=admin", "added=admin,support"]);
}

#[tokio::test]
async fn guesses_at_credentials_of_services_and_operators_are_events() {
    const CLIENT: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-reports";
    let clients = format!("reports:{CLIENT}@User1");
    let server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("SERVICE_CLIENTS", &clients)]).await;
    let api = server.realm("User1");
    let refused = |realm: &str| members(&events(&server, realm, "credentials_refused"), "detail");
    let introspect = || api.request(Method::POST, "/introspect").form(&[("token", "x")]);
    let _ = api.send(introspect()).await.expect(401);
    let _ = api.send(introspect().basic_auth("reports", Some(CLIENT))).await.expect(200);
    assert_eq!(refused("User1"), Vec::<String>::new(), "without credentials there is no guess");
    let _ = api.send(introspect().basic_auth("reports", Some("a guess"))).await.expect(401);
    let _ = api.send(introspect().bearer_auth("a guess")).await.expect(401);
    assert_eq!(refused("User1"), ["operation=introspect code=invalid_client"], "once an hour and address");
    server.advance(Duration::from_secs(3600));
    let posted = [("token", "x"), ("client_id", "reports"), ("client_secret", "a guess")];
    let _ = api.send(api.request(Method::POST, "/introspect").form(&posted)).await.expect(401);
    assert_eq!(refused("User1").len(), 2);
    server.advance(Duration::from_secs(3600));
    let grant = api.request(Method::POST, "/token").form(&[("grant_type", "refresh_token"), ("refresh_token", "x")]);
    let _ = api.send(grant.basic_auth("reports", Some("a guess"))).await.expect(401);
    assert_eq!(refused("User1")[0], "operation=token code=invalid_client");
    assert_eq!(refused("User2"), Vec::<String>::new());
    server.advance(Duration::from_secs(3600));
    let _ = api.with_token("a guess").get("//metrics").await.expect(401);
    for realm in ["User1", "User2"] {
        assert_eq!(refused(realm)[0], "operation=metrics code=not_authenticated");
    }
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_events_and_a_count() {
    let mut server = TestServer::start_with(&[("RATE_LIMITS", "on"), ("RATE_LIMIT_LOGIN", "1/h")]).await;
    let api = server.realm("User1");
    let _ = api.login("nobody@example.com", "wrong").await.expect(401);
    for _ in 0..20 {
        let _ = api.login("nobody@example.com", "wrong").await.expect(429);
    }
    let before = events(&server, "User1", "rate_limit_exceeded");
    assert_eq!(members(&before, "detail"), ["operation=login code=rate_limited"]);
    // a stop records what was counted since the last minute
    server.restart().await;
    let after = events(&server, "User1", "rate_limit_exceeded");
    assert_eq!(members(&after, "detail"), ["more=19", "operation=login code=rate_limited"]);
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
        let changed = members(&events(&server, realm, "settings_changed"), "detail");
        assert_eq!(changed, ["added=OTP_TTL changed=APP_NAME,OPERATOR_TOKEN removed=MAIL_FROM_NAME"]);
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
    assert_eq!(listed["events"][0]["event"], "audit_read", "the reading is in its own answer");
    assert_eq!((read()[0]["user"].as_str(), read()[0]["reason"].as_str()), (Some(&*id), Some("ticket 4711")));
    assert_eq!(read().len(), 1, "a list that names no account is no event");
    let api = admin(&server, "User1");
    let _ = api.get(&at(&format!("/audit?user={id}&reason=ticket%2012"))).await.expect(200);
    assert_eq!((read().len(), read()[0]["reason"].as_str()), (2, Some("ticket 12")));
}
