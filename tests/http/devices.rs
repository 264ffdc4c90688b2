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
