//! Passwords: forgotten, reset, changed, renewed.

use portcullis_core::model::email::Email;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, Field};
use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const NEW: &str = "an-entirely-Other-one-77";

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_ends_every_session() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (john, refresh) = api.logged_in(&person).await;
    let known = api.get(&format!("/forget_password?email={}", person.email)).await.expect(202);
    let unknown = api.post("/forget_password", &json!({"email": "nobody@example.com"})).await.expect(202);
    assert_eq!(known.text, unknown.text);
    let mail = api.mail("mail_password_reset", &person.email).await;
    let token = token_of(&mail);
    let page = api.get(&format!("/reset_password_form?token={token}")).await.expect(200);
    assert!(page.text.contains("<form") && page.text.contains("minlength=\"8\""), "{}", page.text);
    // not acceptable: the link stays good
    let weak = api.post("/reset_password", &json!({"token": token, "password": "john.doe"})).await.expect(422);
    assert_eq!(weak.json()["errors"][0]["field"], "password");
    let form = api.request(Method::POST, &format!("/reset_password?token={token}")).header("accept", "text/html");
    let done = api.send(form.form(&[("password", NEW)])).await.expect(200);
    assert!(done.header("content-type").starts_with("text/html"));
    let again = api.post("/reset_password", &json!({"token": token, "password": NEW})).await.expect(400);
    assert_eq!(again.code(), "invalid_token");
    let _ = john.get("/").await.expect(401);
    let _ = api.refresh(&refresh).await.expect(400);
    let _ = api.login(&person.email, &person.password).await.expect(401);
    let _ = api.login(&person.email, NEW).await.expect(200);
    let _ = api.mail("password_changed", &person.email).await;
    assert!(api.mailbox().await.iter().all(|mail| mail["to"] != "nobody@example.com"));
}

#[tokio::test]
async fn a_link_is_good_for_one_purpose_only_and_for_half_an_hour() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let verification = token_of(&api.mail("mail_email_verify", &person.email).await);
    let _ = api.post("/reset_password", &json!({"token": verification, "password": NEW})).await.expect(400);
    let _ = api.post("/verify", &json!({"token": verification})).await.expect(200);
    let _ = api.get(&format!("/forget_password?email={}", person.email)).await.expect(202);
    let reset = token_of(&api.mail("mail_password_reset", &person.email).await);
    let _ = api.post("/verify", &json!({"token": reset})).await.expect(400);
    server.advance(Duration::from_secs(30 * 60 - 1));
    let _ = api.get(&format!("/reset_password_form?token={reset}")).await.expect(200);
    server.advance(Duration::from_secs(1));
    let _ = api.get(&format!("/reset_password_form?token={reset}")).await.expect(400);
    let _ = api.post("/reset_password", &json!({"token": reset, "password": NEW})).await.expect(400);
}

#[tokio::test]
async fn links_come_from_configuration_and_never_from_a_request() {
    let server = TestServer::start_with(&[("PUBLIC_URL", "https://auth.example.com/base/")]).await;
    let api = server.realm("User1");
    let create =
        api.request(Method::POST, "/create").header("host", "evil.example").header("x-forwarded-host", "evil.example");
    let _ = api.send(create.header("forwarded", "host=evil.example").json(&Person::john().form)).await.expect(201);
    let mail = api.mail("mail_email_verify", "john.doe@example.com").await;
    assert!(mail["links"][0].as_str().unwrap().starts_with("https://auth.example.com/base/User1/verify?token="));
    assert!(!mail.to_string().contains("evil"));
}

#[tokio::test]
async fn changing_the_password_ends_every_session_and_opens_a_new_one() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (here, here_refresh) = api.logged_in(&person).await;
    let (there, there_refresh) = api.session(&person).await;
    let wrong = here.post("/change_password", &json!({"current_password": "x", "password": NEW})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
    let body = json!({"current_password": person.password, "password": NEW});
    let new = here.post("/change_password", &body).await.expect(200);
    let (access, refresh) = (new.member("access_token"), new.member("refresh_token"));
    let _ = api.with_token(&access).get("/").await.expect(200);
    let _ = api.refresh(&refresh).await.expect(200);
    let _ = here.get("/").await.expect(401);
    let _ = api.refresh(&here_refresh).await.expect(400);
    let _ = there.get("/").await.expect(401);
    let _ = api.refresh(&there_refresh).await.expect(400);
    let _ = api.login(&person.email, NEW).await.expect(200);
    let _ = api.mail("password_changed", &person.email).await;
}

#[tokio::test]
async fn the_token_endpoint_speaks_rfc_6749() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let password = |password: &str| {
        vec![pair("grant_type", "password"), pair("username", "john.doe@example.com"), pair("password", password)]
    };
    let form = async |fields: Vec<(String, String)>| api.send(api.request(Method::POST, "/token").form(&fields)).await;
    let unverified = form(password(&person.password)).await.expect(400);
    assert_eq!(
        (unverified.json()["error"].as_str(), unverified.code().as_str()),
        (Some("invalid_grant"), "email_not_verified")
    );
    let token = token_of(&api.mail("mail_email_verify", &person.email).await);
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    let good = form(password(&person.password)).await.expect(200);
    assert_eq!(good.header("cache-control"), "no-store");
    for (fields, error) in [
        (password("wrong"), "invalid_grant"),
        (vec![], "invalid_request"),
        (vec![pair("grant_type", "magic")], "unsupported_grant_type"),
        (vec![pair("grant_type", "refresh_token")], "invalid_request"),
        (vec![pair("grant_type", "refresh_token"), pair("refresh_token", "x")], "invalid_grant"),
    ] {
        let problem = form(fields).await.expect(400);
        assert_eq!(problem.json()["error"], error);
        assert_eq!(problem.header("content-type"), "application/json");
        assert!(problem.json()["error_description"].is_string());
    }
    let login = api.login(&person.email, "wrong").await.expect(401);
    assert_eq!(login.json()["error"], "invalid_grant");
    assert!(login.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_renewed_at_login() {
    // a fixed issuer: the port is another one after the restart
    let mut server = TestServer::start_with(&[("PUBLIC_URL", "http://auth.example.com")]).await;
    let person = Person::john();
    let _ = server.realm("User1").verified(&person).await;
    let (john, _) = server.realm("User1").session(&person).await;
    server.set("ARGON2_ITERATIONS", "2");
    server.restart().await;
    let api = server.realm("User1");
    let _ = api.login(&person.email, &person.password).await.expect(200);
    let _ = api.login(&person.email, &person.password).await.expect(200);
    let (service, realm) = (server.service(), Realm::parse("User1").unwrap());
    let index = service.email_index(&realm, &Email::parse(&person.email).unwrap());
    let stored = service.ports.users.find_by_email(&realm, &index).await.unwrap().unwrap();
    let place = |field| AadContext { realm: &realm, record: stored.id.as_bytes(), field };
    let key = service.ports.cipher.unwrap(&stored.person.key, place(Field::Key)).unwrap();
    let hash = service.ports.cipher.open(&key, place(Field::Password), &stored.password).unwrap();
    assert!(String::from_utf8_lossy(&hash).contains("m=64,t=2,p=1"));
    // renewing keeps every session
    let _ = api.with_token(john.token.as_deref().unwrap()).get("/").await.expect(200);
}
