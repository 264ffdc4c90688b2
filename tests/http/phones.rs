//! Proving the phone, and the phone as second factor.

use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const NUMBER: &str = "+1234567890";

pub async fn text(api: &Api, template: &str, count: usize) -> Value {
    api.mails(template, NUMBER, count).await[0].clone()
}

pub fn code(message: &Value) -> String {
    message["code"].as_str().unwrap().to_owned()
}

/// A code that is not this one.
fn other(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

pub async fn prove_phone(api: &Api, id: &str, count: usize) {
    let challenge = api.post("/otp_phone", &json!({"id": id, "phone": NUMBER})).await.expect(202);
    let code = code(&text(api, "otp", count).await);
    let path = format!("/verify_otp_phone?token={}&otp={code}", challenge.member("token"));
    let verified = api.get(&path).await.expect(200);
    assert_eq!(verified.json(), json!({"message": "OTP verified successfully"}));
}

#[tokio::test]
async fn the_code_goes_to_the_number_on_record_and_to_no_other() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let path = format!("/otp_phone?id={id}&phone=%2B1234567890");
    let challenge = api.send(api.request(Method::POST, &path)).await.expect(202);
    assert_eq!(challenge.json()["message"], "OTP generated successfully");
    assert_eq!(challenge.json()["expires_in"], 300);
    let sent = text(&api, "otp", 1).await;
    assert_eq!((sent["channel"].as_str(), code(&sent).len()), (Some("sms"), 6));
    for (id, phone) in
        [(id.as_str(), "+1234567891"), ("usr_00000000000000000000000000000000", NUMBER), ("nonsense", NUMBER)]
    {
        let stranger = api.post("/otp_phone", &json!({"id": id, "phone": phone})).await.expect(202);
        assert_eq!(stranger.json()["message"], challenge.json()["message"]);
        assert_eq!(stranger.member("token").len(), challenge.member("token").len());
        let token = stranger.member("token");
        let _ = api.post("/verify_otp_phone", &json!({"token": token, "otp": code(&sent)})).await.expect(400);
    }
    // a stranger's asking has not killed the owner's challenge
    let body = json!({"token": challenge.member("token"), "otp": code(&sent)});
    let _ = api.post("/verify_otp_phone", &body).await.expect(200);
    let _ = api.post("/verify_otp_phone", &body).await.expect(400);
    let (john, _) = api.session(&Person::john()).await;
    assert_eq!(john.get("/").await.json()["is_phone_verified"], true);
    let call = api.post("/otp_phone", &json!({"id": id, "phone": NUMBER, "channel": "voice"})).await.expect(202);
    assert!(call.json()["token"].is_string());
    assert_eq!(text(&api, "otp_voice", 1).await["channel"], "voice");
    assert_eq!(api.mails("otp", NUMBER, 1).await.len(), 1);
}

#[tokio::test]
async fn five_wrong_tries_five_minutes_and_a_newer_code_each_kill_an_otp() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let ask = async || api.post("/otp_phone", &json!({"id": id, "phone": NUMBER})).await.expect(202).member("token");
    let answer = async |token: &str, otp: &str| {
        api.post("/verify_otp_phone", &json!({"token": token, "otp": otp})).await.status.as_u16()
    };
    let token = ask().await;
    let right = code(&text(&api, "otp", 1).await);
    for _ in 0..5 {
        assert_eq!(answer(&token, other(&right)).await, 400);
    }
    assert_eq!(answer(&token, &right).await, 400);

    let token = ask().await;
    let right = code(&text(&api, "otp", 2).await);
    server.advance(Duration::from_secs(300));
    assert_eq!(answer(&token, &right).await, 400);

    let older = ask().await;
    let older_code = code(&text(&api, "otp", 3).await);
    let newer = ask().await;
    let newer_code = code(&text(&api, "otp", 4).await);
    assert_eq!(answer(&older, &older_code).await, 400);
    server.advance(Duration::from_secs(299));
    assert_eq!(answer(&newer, &newer_code).await, 200);
}

#[tokio::test]
async fn the_phone_is_a_second_factor_at_login() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    assert_eq!(
        john.get("/mfa").await.expect(200).json(),
        json!({"sms": false, "totp": false, "backup_codes": 0, "passkeys": 0, "required": false})
    );
    let early = john.json(Method::PUT, "/mfa", &json!({"sms": true})).await.expect(409);
    assert_eq!(early.code(), "phone_not_verified");
    prove_phone(&api, &id, 1).await;
    let _ = john.json(Method::PUT, "/mfa", &json!({"sms": true})).await.expect(200);
    let _ = api.mail("mfa_changed", &person.email).await;

    for (number, (path, status)) in [("/login", 403), ("/token", 400)].into_iter().enumerate() {
        let fields = [("grant_type", "password"), ("username", &person.email), ("password", &person.password)];
        let asked = api.form(path, &fields).await.expect(status);
        assert_eq!(asked.code(), "mfa_required");
        assert_eq!(asked.json()["methods"], json!(["sms"]));
        let _ = text(&api, "mfa_otp", number + 1).await;
    }
    let asked = api.login(&person.email, &person.password).await.expect(403);
    let right = code(&text(&api, "mfa_otp", 3).await);
    let token = asked.member("mfa_token");
    let _ = api.post("/login/mfa", &json!({"mfa_token": token, "otp": other(&right)})).await.expect(400);
    let _ = server.realm("User2").post("/login/mfa", &json!({"mfa_token": token, "otp": right})).await.expect(400);
    // an OTP challenge is no MFA challenge
    let _ = api.post("/verify_otp_phone", &json!({"token": token, "otp": right})).await.expect(400);
    let pair = api.form("/login/mfa", &[("mfa_token", &token), ("otp", &right)]).await.expect(200);
    let again = api.with_token(&pair.member("access_token"));
    let _ = again.get("/").await.expect(200);
    let _ = api.post("/login/mfa", &json!({"mfa_token": token, "otp": right})).await.expect(400);

    let held = again.json(Method::PUT, "/update", &json!({"phone": "+1987654321"})).await.expect(409);
    assert_eq!(held.code(), "mfa_in_use");
    server.advance(Duration::from_secs(901));
    let bare = again.json(Method::PUT, "/mfa", &json!({"sms": false})).await.expect(403);
    assert_eq!(bare.code(), "reauthentication_required");
    let wrong = again.json(Method::PUT, "/mfa", &json!({"sms": false, "password": "x"})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
    let off = json!({"sms": false, "password": person.password});
    let _ = again.json(Method::PUT, "/mfa", &off).await.expect(200);
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn the_cost_of_sms_is_capped_and_no_answer_shows_it() {
    let server = TestServer::start_with(&[
        ("RATE_LIMITS", "on"),
        ("SMS_COUNTRIES", "US, de"),
        ("SMS_UNANSWERED", "2/day"),
        ("SMS_COOL_DOWN", "9/min"),
        ("RATE_LIMIT_OTP_PHONE", "100/min"),
    ])
    .await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let ask = async |id: &str| api.post("/otp_phone", &json!({"id": id, "phone": NUMBER})).await.expect(202);
    for number in 1..5 {
        let known = ask(&id).await;
        let _ = api.mails("otp", NUMBER, number.min(2)).await;
        let unknown = ask("usr_00000000000000000000000000000000").await;
        assert_eq!(known.json()["message"], unknown.json()["message"]);
    }
    server.metric("portcullis_texts_held_total{reason=\"unanswered\"}", 2).await;
    assert_eq!(api.mails("otp", NUMBER, 2).await.len(), 2);
    // the country is derived from the number alone, whether or not the id exists
    for id in [id.as_str(), "nonsense"] {
        let refused = api.post("/otp_phone", &json!({"id": id, "phone": "+33123456789"})).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["code"], "phone_country_not_served");
        assert_eq!(refused.json()["errors"][0]["field"], "phone");
    }
}
