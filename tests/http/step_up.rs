//! Step-up: a new access token whose authentication is recent, and has the second factor where one is on.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::phones::{code, prove_phone, text};

pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn a_password_makes_the_access_token_recent_and_leaves_the_refresh_token() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, refresh) = api.logged_in(&person).await;
    server.advance(Duration::from_secs(901));
    let _ = john.get("/export").await.expect(403);
    let wrong = john.post("/step_up", &json!({"password": "x"})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
    let _ = john.post("/step_up", &json!({})).await.expect(422);
    let half = john.post("/step_up", &json!({"password": person.password, "otp": "123456"})).await.expect(422);
    assert_eq!(half.json()["errors"][0]["field"], "mfa_token");
    let answer = john.post("/step_up", &json!({"password": person.password})).await.expect(200);
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!(answer.json()["expires_in"], 1800);
    let (before, after) = (claims(john.token.as_deref().unwrap()), claims(&answer.member("access_token")));
    assert_eq!((&after["sid"], &after["amr"], &after["acr"]), (&before["sid"], &json!(["pwd"]), &json!("aal1")));
    assert!(after["auth_time"].as_i64() > before["auth_time"].as_i64());
    assert_eq!(after["nbf"].as_i64(), after["iat"].as_i64().map(|at| at - 5));
    assert_eq!(after["client_id"], "User1");
    let _ = api.with_token(&answer.member("access_token")).get("/export").await.expect(200);
    let refreshed = api.refresh(&refresh).await.expect(200).member("access_token");
    assert_eq!(claims(&refreshed)["auth_time"], before["auth_time"], "a refresh returns to the login");
    let _ = api.with_token(&refreshed).delete("/delete").await.expect(403);
}

#[tokio::test]
async fn with_a_factor_on_it_asks_for_the_code_too() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    prove_phone(&api, &id, 1).await;
    let (other, _) = api.session(&person).await;
    let _ = john.json(Method::PUT, "/mfa", &json!({"sms": true})).await.expect(200);
    let _ = other.get("/").await.expect(401);
    let change = json!({"email": "new@example.org", "password": person.password});
    let refused = john.json(Method::PATCH, "/update", &change).await.expect(403);
    assert_eq!(refused.code(), "reauthentication_required");
    let new = json!({"current_password": person.password, "password": "Mj4$rB8?nL1c-garden"});
    assert_eq!(john.post("/change_password", &new).await.expect(403).code(), "reauthentication_required");

    let asked = john.post("/step_up", &json!({"password": person.password})).await.expect(403);
    assert_eq!((asked.code().as_str(), &asked.json()["methods"]), ("mfa_required", &json!(["sms"])));
    let (token, right) = (asked.member("mfa_token"), code(&text(&api, "mfa_otp", 1).await));
    // it opens no session
    let _ = api.post("/login/mfa", &json!({"mfa_token": token, "otp": right})).await.expect(400);
    let given = json!({"password": person.password, "mfa_token": token, "otp": right});
    let fresh = john.post("/step_up", &given).await.expect(200).member("access_token");
    assert_eq!((&claims(&fresh)["amr"], &claims(&fresh)["acr"]), (&json!(["pwd", "sms", "mfa"]), &json!("aal2")));
    let _ = john.post("/step_up", &given).await.expect(400);
    let _ = api.with_token(&fresh).json(Method::PATCH, "/update", &change).await.expect(200);
}

#[tokio::test]
async fn five_wrong_passwords_end_the_session() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, refresh) = api.logged_in(&person).await;
    let (other, _) = api.session(&person).await;
    for _ in 0..5 {
        let _ = john.post("/step_up", &json!({"password": "x"})).await.expect(403);
    }
    let _ = john.get("/").await.expect(401);
    let _ = api.refresh(&refresh).await.expect(400);
    let _ = other.get("/").await.expect(200);
}
