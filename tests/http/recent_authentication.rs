//! Recent authentication: which requests need a recent login or the password.

use std::time::Duration;

use portcullis_tests::api::Answer;
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

/// Method, path, body; the request is good if the login is recent.
type Request = (Method, &'static str, Value);

fn with_password() -> Vec<Request> {
    vec![
        (Method::PATCH, "/update", json!({"email": "new@example.org"})),
        (Method::PUT, "/update", json!({"phone": "+1987654321", "first_name": "Jack"})),
        (Method::DELETE, "/delete", json!({})),
    ]
}

async fn send(api: &Api, (method, path, body): &Request, password: Option<&str>) -> Answer {
    let mut body = body.clone();
    if let Some(password) = password {
        body["password"] = Value::from(password);
    }
    api.json(method.clone(), path, &body).await
}

fn assert_reauthentication_required(answer: &Answer, of: &str) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauthentication_required"), "{of}");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, "Bearer error=\"insufficient_user_authentication\", max_age=900", "{of}");
}

#[tokio::test]
async fn a_change_needs_a_recent_login_or_the_password() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let _ = api.verified(&person).await;
    for request in with_password() {
        let of = format!("{} {}", request.0, request.1);
        let (john, _) = api.session(&person).await;
        let wrong = send(&john, &request, Some("x")).await.expect(403);
        assert_eq!((wrong.code().as_str(), wrong.header("www-authenticate").as_str()), ("wrong_password", ""), "{of}");
        server.advance(Duration::from_secs(901));
        assert_reauthentication_required(&send(&john, &request, None).await, &of);
        assert_eq!(send(&john, &request, Some("x")).await.expect(403).code(), "wrong_password", "{of}");
        let _ = send(&john, &request, Some(&person.password)).await.expect(200);
    }
}

#[tokio::test]
async fn a_recent_login_passes_until_it_is_fifteen_minutes_old() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let _ = api.verified(&person).await;
    for request in with_password() {
        let (john, _) = api.session(&person).await;
        server.advance(Duration::from_secs(900));
        let _ = send(&john, &request, None).await.expect(200);
    }
}

#[tokio::test]
async fn an_export_and_the_end_of_a_session_take_only_the_token() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, refresh) = api.logged_in(&person).await;
    let listed = john.get("/sessions").await.expect(200).json();
    let path = format!("/sessions/{}", listed["sessions"][0]["id"].as_str().unwrap());
    server.advance(Duration::from_secs(901));
    let refreshed = john.with_token(&api.refresh(&refresh).await.expect(200).member("access_token"));
    for old in [&john, &refreshed] {
        assert_reauthentication_required(&old.get("/export").await, "export");
        assert_reauthentication_required(&old.delete(&path).await, "end");
        let _ = old.get("/sessions").await.expect(200);
    }
    let (john, _) = api.session(&person).await;
    let _ = john.get("/export").await.expect(200);
    let _ = john.delete(&path).await.expect(200);
    let _ = refreshed.get("/").await.expect(401);
}

#[tokio::test]
async fn a_refresh_does_not_make_a_login_recent() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (_, refresh) = api.logged_in(&person).await;
    server.advance(Duration::from_secs(901));
    let john = api.with_token(&api.refresh(&refresh).await.expect(200).member("access_token"));
    for request in with_password() {
        assert_reauthentication_required(&send(&john, &request, None).await, request.1);
    }
    let sms = json!({"sms": true});
    assert_reauthentication_required(&john.json(Method::PUT, "/mfa", &sms).await, "mfa");
    let _ = john.json(Method::PUT, "/mfa", &json!({"sms": true, "password": person.password})).await.expect(409);
}

#[tokio::test]
async fn names_need_no_recent_login() {
    let server = TestServer::start().await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    server.advance(Duration::from_secs(901));
    let names = json!({"first_name": "Jack", "last_name": "Daw"});
    let changed = john.json(Method::PUT, "/update", &names).await.expect(200).json();
    assert_eq!((changed["first_name"].as_str(), changed["last_name"].as_str()), (Some("Jack"), Some("Daw")));
    assert!(changed.get("password").is_none());
}

#[tokio::test]
async fn the_owner_gets_a_notice_of_a_new_phone() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let _ = john.json(Method::PUT, "/update", &json!({"phone": "+1987654321"})).await.expect(200);
    let mail = api.mail("phone_changed", &person.email).await;
    assert!(!mail["text"].as_str().unwrap().contains("987654321"), "the number is not repeated");
}
