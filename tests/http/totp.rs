//! An authenticator app and backup codes over HTTP.

use std::time::Duration;

use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::phones::{code, prove_phone, text};
use crate::step_up::claims;

/// The code of an app at the server's time.
pub fn app_code(server: &TestServer, secret: &str) -> String {
    let step = step_at(server.service().ports.clock.now());
    TotpSecret::parse(secret).unwrap().code_of(step).unwrap().expose().to_owned()
}

/// The code of the next step: one that was not used.
pub fn next_code(server: &TestServer, secret: &str) -> String {
    server.advance(Duration::from_secs(60));
    app_code(server, secret)
}

/// Adds an app; its key and the backup codes.
pub async fn enrol(server: &TestServer, session: &Api) -> (String, Vec<String>) {
    let begun = session.send(session.request(Method::POST, "/mfa/totp")).await.expect(201);
    let secret = begun.member("secret");
    let confirmed =
        session.json(Method::PUT, "/mfa/totp", &json!({"otp": app_code(server, &secret)})).await.expect(200);
    let codes = confirmed.json()["backup_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

pub async fn challenge(api: &Api, person: &Person, methods: Value) -> String {
    let asked = api.login(&person.email, &person.password).await.expect(403);
    assert_eq!((asked.code().as_str(), &asked.json()["methods"]), ("mfa_required", &methods));
    asked.member("mfa_token")
}

pub async fn answer(api: &Api, token: &str, otp: &str) -> Answer {
    api.post("/login/mfa", &json!({"mfa_token": token, "otp": otp})).await
}

fn unlimited() -> [(&'static str, &'static str); 1] {
    [("RATE_LIMITS", "off")]
}

#[tokio::test]
async fn an_app_is_added_by_its_first_code_and_asked_for_at_every_login() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let (other, _) = api.session(&person).await;
    let begun = john.send(john.request(Method::POST, "/mfa/totp")).await.expect(201);
    let secret = begun.member("secret");
    assert_eq!((secret.len(), begun.json()["expires_in"].as_u64()), (32, Some(600)));
    let uri = begun.member("uri");
    assert!(uri.starts_with("otpauth://totp/Portcullis:") && uri.contains(&format!("secret={secret}")), "{uri}");
    assert!(begun.member("qr").starts_with("<svg"), "{}", begun.member("qr"));
    assert_eq!(begun.header("cache-control"), "no-store");
    let first = app_code(&server, &secret);
    let put = async |session: &Api, body: Value| session.json(Method::PUT, "/mfa/totp", &body).await;
    assert_eq!(put(&other, json!({"otp": first})).await.expect(400).code(), "invalid_token");
    assert_eq!(put(&john, json!({"otp": "12345"})).await.expect(400).code(), "invalid_token");
    let _ = put(&john, json!({})).await.expect(422);
    let confirmed = put(&john, json!({"otp": first})).await.expect(200);
    assert_eq!(confirmed.json()["backup_codes"].as_array().map(Vec::len), Some(10));
    assert_eq!(
        john.get("/mfa").await.expect(200).json(),
        json!({"sms": false, "totp": true, "backup_codes": 10, "passkeys": 0, "required": false})
    );
    assert_eq!(john.get("/").await.expect(200).json()["mfa"]["totp"], true);
    let _ = other.get("/").await.expect(401);
    let told = api.mail("mfa_changed", &person.email).await;
    assert!(told["subject"].as_str().unwrap().contains("authenticator app added"), "{told}");

    let token = challenge(&api, &person, json!(["totp", "backup_code"])).await;
    assert_eq!(answer(&api, &token, &first).await.expect(400).code(), "invalid_token", "it was used");
    let method =
        api.post("/login/mfa", &json!({"mfa_token": token, "otp": first, "method": "yubikey"})).await.expect(422);
    assert_eq!(method.json()["errors"][0]["field"], "method");
    let second = next_code(&server, &secret);
    let _ = server.realm("User2").post("/login/mfa", &json!({"mfa_token": token, "otp": second})).await.expect(400);
    let pair = answer(&api, &token, &second).await.expect(200);
    let shown = claims(&pair.member("access_token"));
    assert_eq!((&shown["amr"], &shown["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!("aal2")));
    let again = challenge(&api, &person, json!(["totp", "backup_code"])).await;
    let _ = answer(&api, &again, &second).await.expect(400);
    let twice = api.with_token(&pair.member("access_token"));
    let on = twice.send(twice.request(Method::POST, "/mfa/totp")).await.expect(409);
    assert_eq!(on.code(), "totp_on");
}

#[tokio::test]
async fn of_two_uses_of_a_code_at_the_same_instant_one_wins() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let (secret, codes) = enrol(&server, &john).await;
    let methods = json!(["totp", "backup_code"]);
    for otp in [next_code(&server, &secret), codes[0].clone()] {
        let asked = json!({"password": person.password, "otp": otp});
        let step_up = async || john.post("/step_up", &asked).await.status.as_u16();
        let token = challenge(&api, &person, methods.clone()).await;
        let log_in = async || answer(&api, &token, &otp).await.status.as_u16();
        let (one, two, three, four) = tokio::join!(step_up(), log_in(), step_up(), log_in());
        let mut answers = [one, two, three, four];
        answers.sort_unstable();
        assert_eq!(answers, [200, 400, 400, 400]);
    }
}

#[tokio::test]
async fn a_backup_code_works_once_and_each_use_is_told() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let none = john.send(john.request(Method::POST, "/mfa/backup_codes")).await.expect(409);
    assert_eq!(none.code(), "mfa_off");
    let (secret, codes) = enrol(&server, &john).await;
    let token = challenge(&api, &person, json!(["totp", "backup_code"])).await;
    let pair = answer(&api, &token, &codes[0].to_lowercase()).await.expect(200);
    let told = api.mail("backup_code_used", &person.email).await;
    assert!(told["text"].as_str().unwrap().contains("9 of them are left"), "{told}");
    let session = api.with_token(&pair.member("access_token"));
    assert_eq!(session.get("/mfa").await.json()["backup_codes"], 9);
    for code in &codes[1..8] {
        let token = challenge(&api, &person, json!(["totp", "backup_code"])).await;
        let _ = answer(&api, &token, code).await.expect(200);
    }
    let warned = api.mails("backup_code_used", &person.email, 8).await;
    assert!(warned[0]["text"].as_str().unwrap().contains("Only 2 of them are left"), "{}", warned[0]);
    let newer = session.send(session.request(Method::POST, "/mfa/backup_codes")).await.expect(200);
    let token = challenge(&api, &person, json!(["totp", "backup_code"])).await;
    let _ = answer(&api, &token, &codes[9]).await.expect(400);
    let _ = answer(&api, &token, newer.json()["backup_codes"][0].as_str().unwrap()).await.expect(200);
    let _ = next_code(&server, &secret);
}

#[tokio::test]
async fn an_app_is_removed_with_a_factor_that_is_no_sms() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    prove_phone(&api, &id, 1).await;
    let (secret, codes) = enrol(&server, &john).await;
    let bare = john.delete("/mfa/totp").await.expect(403);
    assert_eq!(bare.code(), "reauthentication_required");
    let with_password = john.json(Method::DELETE, "/mfa/totp", &json!({"password": person.password})).await.expect(403);
    assert_eq!(with_password.code(), "reauthentication_required");
    let asked = john.post("/step_up", &json!({"password": person.password})).await.expect(403);
    assert_eq!(asked.json()["methods"], json!(["totp", "backup_code"]));
    let by_app = json!({"password": person.password, "method": "totp", "otp": next_code(&server, &secret)});
    let shown = john.post("/step_up", &by_app).await.expect(200).member("access_token");
    let session = api.with_token(&shown);
    let _ = session.json(Method::PUT, "/mfa", &json!({"sms": true})).await.expect(200);

    // a text is sent when somebody asks for it, to the challenge that was asked about
    let token = challenge(&api, &person, json!(["totp", "backup_code", "sms"])).await;
    let _ = api.post("/login/mfa", &json!({"mfa_token": token, "method": "totp"})).await.expect(422);
    let _ = api.post("/login/mfa", &json!({"mfa_token": "x", "method": "sms"})).await.expect(400);
    let sent = api.post("/login/mfa", &json!({"mfa_token": token, "method": "sms"})).await.expect(202);
    assert_eq!(sent.json()["expires_in"], 300);
    let message = text(&api, "mfa_otp", 1).await;
    let last = format!("@127.0.0.1 #{}", code(&message));
    assert_eq!(message["text"].as_str().unwrap().trim_end().lines().last(), Some(last.as_str()));
    let by_sms = json!({"mfa_token": token, "method": "sms", "otp": code(&message)});
    let by_sms = api.post("/login/mfa", &by_sms).await.expect(200).member("access_token");
    assert_eq!(claims(&by_sms)["amr"], json!(["pwd", "sms", "mfa"]));
    let weak = api.with_token(&by_sms);
    assert_eq!(weak.delete("/mfa/totp").await.expect(403).code(), "reauthentication_required");
    let refused = weak.send(weak.request(Method::POST, "/mfa/backup_codes")).await.expect(403);
    assert_eq!(refused.code(), "reauthentication_required");

    let by_code = json!({"password": person.password, "otp": codes[3]});
    let shown = weak.post("/step_up", &by_code).await.expect(200).member("access_token");
    let _ = api.with_token(&shown).delete("/mfa/totp").await.expect(204);
    let left = json!({"sms": true, "totp": false, "backup_codes": 9, "passkeys": 0, "required": false});
    assert_eq!(weak.get("/mfa").await.expect(200).json(), left);
    let _ = challenge(&api, &person, json!(["backup_code", "sms"])).await;
    let _ = text(&api, "mfa_otp", 2).await;
}

#[tokio::test]
async fn enrolment_needs_recent_authentication() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    server.advance(Duration::from_secs(901));
    let late = john.send(john.request(Method::POST, "/mfa/totp")).await.expect(403);
    assert_eq!(late.code(), "reauthentication_required");
    let wrong = john.post("/mfa/totp", &json!({"password": "x"})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
    let _ = john.post("/mfa/totp", &json!({"password": person.password, "otp": "1"})).await.expect(422);
    let begun = john.post("/mfa/totp", &json!({"password": person.password})).await.expect(201);
    server.advance(Duration::from_secs(601));
    let code = app_code(&server, &begun.member("secret"));
    let _ = john.json(Method::PUT, "/mfa/totp", &json!({"otp": code})).await.expect(400);
}

#[tokio::test]
async fn an_operator_resets_lost_factors_beside_a_running_server() {
    let server = TestServer::start_with(&unlimited()).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let _ = enrol(&server, &john).await;
    let (code, out, told) = server.operator(&["users", "reset-factors", &person.email, "--realm", "User1"]);
    assert!(code == 0 && out.contains("has no second factor any more: 1 session ended"), "{out}{told}");
    let _ = john.get("/").await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(200);
    let _ = api.mail("factors_reset", &person.email).await;
    let (code, _, told) = server.operator(&["users", "reset-factors", &person.email, "--realm", "User1"]);
    assert!(code != 0 && told.contains("no second factor is on"), "{told}");
}
