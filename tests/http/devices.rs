//! Remembered devices over HTTP.

use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::step_up::claims;
use crate::totp::{challenge, enrol, next_code};

async fn log_in_from(api: &Api, person: &Person, token: &str) -> portcullis_tests::Answer {
    let form = [("username", person.email.as_str()), ("password", &person.password), ("device_token", token)];
    api.form("/login", &form).await
}

#[tokio::test]
async fn a_device_is_remembered_used_listed_and_forgotten() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let (secret, _) = enrol(&server, &john).await;
    let methods = || json!(["totp", "backup_code"]);
    let answer = async |remember: Value| {
        let token = challenge(&api, &person, methods()).await;
        let otp = next_code(&server, &secret);
        api.post("/login/mfa", &json!({"mfa_token": token, "otp": otp, "remember_device": remember})).await
    };
    let _ = answer(json!("perhaps")).await.expect(422);
    assert!(answer(json!(false)).await.expect(200).json().get("device_token").is_none());
    let opened = answer(json!(true)).await.expect(200);
    let token = opened.member("device_token");
    assert_eq!(token.len(), 43);
    let john = api.with_token(&opened.member("access_token"));
    let listed = john.get("/devices").await.expect(200);
    let (listed, cache) = (listed.json(), listed.header("cache-control"));
    let device = &listed["devices"][0];
    assert_eq!((listed["devices"].as_array().unwrap().len(), cache.as_str()), (1, "no-store"));
    assert_eq!((&device["last_used_at"], &device["address"]), (&json!(null), &json!("127.0.0.0")));

    let pair = log_in_from(&api, &person, &token).await.expect(200);
    let shown = claims(&pair.member("access_token"));
    assert_eq!((&shown["amr"], &shown["acr"]), (&json!(["pwd"]), &json!("aal1")));
    let weak = api.with_token(&pair.member("access_token"));
    let removed = weak.send(weak.request(Method::DELETE, "/mfa/totp")).await.expect(403);
    assert_eq!(removed.code(), "reauthentication_required");
    let asked = weak.post("/step_up", &json!({"password": person.password})).await.expect(403);
    assert_eq!(asked.code(), "mfa_required", "a step-up takes no device");
    let exported = john.get("/export").await.expect(200).json();
    assert_eq!(exported["devices"][0]["id"], device["id"]);
    assert!(exported["devices"][0]["last_used_at"].is_string());
    let other = server.realm("User2");
    let _ = log_in_from(&other, &person, &token).await.expect(401);

    let path = format!("/devices/{}", device["id"].as_str().unwrap());
    let _ = john.delete("/devices/dev_1").await.expect(404);
    let _ = john.delete(&path).await.expect(204);
    let _ = john.delete(&path).await.expect(404);
    assert_eq!(log_in_from(&api, &person, &token).await.expect(403).code(), "mfa_required");
    let _ = weak.get("/").await.expect(200);
}

/// Logs in with a factor and remembers the device. Returns the access token and the device token.
async fn remembered(server: &TestServer, person: &Person, secret: &str) -> (Api, String, String) {
    let api = server.realm("User1");
    let token = challenge(&api, person, json!(["totp", "backup_code"])).await;
    let otp = next_code(server, secret);
    let opened = api.post("/login/mfa", &json!({"mfa_token": token, "otp": otp, "remember_device": true})).await;
    let opened = opened.expect(200);
    let access = api.with_token(&opened.member("access_token"));
    (access, opened.member("device_token"), opened.member("refresh_token"))
}

/// The ids of the sessions, and the current one's.
async fn session_ids(api: &Api) -> (Vec<String>, String) {
    let listed = api.get("/sessions").await.expect(200).json();
    let all = listed["sessions"].as_array().unwrap();
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
    (all.iter().map(id).collect(), id(all.iter().find(|session| session["current"] == true).unwrap()))
}

#[tokio::test]
async fn whoever_is_thrown_out_of_a_session_does_not_come_back_by_the_device_it_remembered() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (first, _) = api.logged_in(&person).await;
    let (secret, _) = enrol(&server, &first).await;
    let (owner, owners_device, _) = remembered(&server, &person, &secret).await;
    let (thief, thiefs_device, _) = remembered(&server, &person, &secret).await;
    let _ = api.mails("device_remembered", &person.email, 2).await;
    // the thief hides: the session that remembered the device is logged out, a newer one comes from the device
    let second = log_in_from(&api, &person, &thiefs_device).await.expect(200);
    let second = api.with_token(&second.member("access_token"));
    let _ = thief.post("/logout", &json!({})).await.expect(200);
    let (_, thiefs_session) = session_ids(&second).await;
    let _ = owner.delete(&format!("/sessions/{thiefs_session}")).await.expect(200);
    assert_eq!(log_in_from(&api, &person, &thiefs_device).await.expect(403).code(), "mfa_required");
    let _ = log_in_from(&api, &person, &owners_device).await.expect(200);
    let listed = owner.get("/devices").await.expect(200).json();
    assert_eq!(listed["devices"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn a_logout_keeps_its_device_and_the_next_end_of_another_session_forgets_it() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (first, _) = api.logged_in(&person).await;
    let (secret, _) = enrol(&server, &first).await;
    let (laptop, device, _) = remembered(&server, &person, &secret).await;
    let _ = laptop.post("/logout", &json!({})).await.expect(200);
    let again = log_in_from(&api, &person, &device).await.expect(200);
    let laptop = api.with_token(&again.member("access_token"));
    let _ = laptop.post("/logout", &json!({})).await.expect(200);
    let (owner, _, _) = remembered(&server, &person, &secret).await;
    let (left, own) = session_ids(&owner).await;
    let other = left.iter().find(|id| **id != own).unwrap();
    let _ = owner.delete(&format!("/sessions/{other}")).await.expect(200);
    assert_eq!(log_in_from(&api, &person, &device).await.expect(403).code(), "mfa_required");
}

#[tokio::test]
async fn the_reuse_of_a_stolen_refresh_token_forgets_the_device_of_its_session() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (first, _) = api.logged_in(&person).await;
    let (secret, _) = enrol(&server, &first).await;
    let (_, device, refresh) = remembered(&server, &person, &secret).await;
    let (_, kept, _) = remembered(&server, &person, &secret).await;
    let refreshed =
        async |token: &str| api.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
    let newer = refreshed(&refresh).await.expect(200).member("refresh_token");
    let _ = refreshed(&newer).await.expect(200);
    server.advance(std::time::Duration::from_secs(60));
    let _ = refreshed(&refresh).await.expect(400);
    assert_eq!(log_in_from(&api, &person, &device).await.expect(403).code(), "mfa_required");
    let _ = log_in_from(&api, &person, &kept).await.expect(200);
}
