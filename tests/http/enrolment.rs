//! `MFA_POLICY=required`: a login without a second factor leads to the first one, and to nothing else.

use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_server::testkit::authenticator::Authenticator;
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::step_up::claims;
use crate::totp::{answer, next_code};

const ORIGIN: &str = "https://app.example.com";

async fn server() -> TestServer {
    let policy = ("MFA_POLICY", "User1:optional, User2:required");
    let passkeys = [("PASSKEY_RP_ID", "example.com"), ("PASSKEY_ORIGINS", ORIGIN)];
    TestServer::start_with(&[("RATE_LIMITS", "off"), policy, passkeys[0], passkeys[1]]).await
}

/// The challenge of a login.
async fn asked(api: &Api, person: &Person) -> String {
    let refused = api.login(&person.email, &person.password).await.expect(403);
    assert_eq!((refused.code().as_str(), &refused.json()["expires_in"]), ("mfa_enrolment_required", &json!(600)));
    assert_eq!(
        (&refused.json()["error"], refused.header("cache-control").as_str()),
        (&json!("mfa_enrolment_required"), "no-store")
    );
    refused.member("enrolment_token")
}

/// The code of the nth mail.
async fn mailed(api: &Api, person: &Person, nth: usize) -> String {
    let mails = api.mails("enrolment_code", &person.email, nth).await;
    mails[0]["code"].as_str().unwrap().to_owned()
}

async fn confirm(api: &Api, token: &str, code: &str) -> Answer {
    api.post("/login/enrolment", &json!({"enrolment_token": token, "code": code})).await
}

async fn enrol(api: &Api, body: Value) -> Answer {
    api.post("/login/enrolment/factor", &body).await
}

#[tokio::test]
async fn an_app_is_the_first_factor_and_the_last_one_stays() {
    let server = server().await;
    let (api, person) = (server.realm("User2"), Person::john());
    let _ = api.verified(&person).await;
    let token = asked(&api, &person).await;
    let code = mailed(&api, &person, 1).await;
    let form = [("grant_type", "password"), ("username", &person.email), ("password", &person.password)];
    assert_eq!(api.form("/token", &form).await.expect(400).code(), "mfa_enrolment_required");
    let _ = mailed(&api, &person, 2).await;
    let _ = confirm(&api, &token, &code).await.expect(400);
    let token = asked(&api, &person).await;
    let code = mailed(&api, &person, 3).await;
    assert_eq!(confirm(&server.realm("User1"), &token, &code).await.expect(400).code(), "invalid_token");
    assert_eq!(confirm(&api, &token, "AAAAAAA").await.expect(400).code(), "invalid_token");
    let _ = confirm(&api, "", &code).await.expect(400);
    let offer = confirm(&api, &token, &code).await.expect(200);
    assert_eq!(offer.header("cache-control"), "no-store");
    let body = offer.json();
    assert_eq!((&body["methods"], &body["expires_in"]), (&json!(["passkey", "totp"]), &json!(600)));
    let (secret, svg) = (body["totp"]["secret"].as_str().unwrap(), body["totp"]["qr"].as_str().unwrap());
    assert!(body["totp"]["uri"].as_str().unwrap().contains(secret) && svg.starts_with("<svg"));
    let token = offer.member("enrolment_token");

    for (body, field) in [
        (json!({"enrolment_token": token}), "method"),
        (json!({"enrolment_token": token, "method": "backup_code"}), "method"),
        (json!({"enrolment_token": token, "method": "totp"}), "otp"),
        (json!({"enrolment_token": token, "method": "passkey", "name": "a"}), "credential"),
        (json!({"enrolment_token": token, "method": "passkey", "credential": {}}), "name"),
        (json!({"enrolment_token": token, "method": "sms", "otp": "123456"}), "otp"),
    ] {
        let refused = enrol(&api, body).await.expect(422).json();
        assert_eq!((refused["errors"].as_array().unwrap().len(), &refused["errors"][0]["field"]), (1, &json!(field)));
    }
    let sms = enrol(&api, json!({"enrolment_token": token, "method": "sms"})).await.expect(409);
    assert_eq!(sms.code(), "phone_not_verified");
    let wrong = enrol(&api, json!({"enrolment_token": token, "method": "totp", "otp": "000000"})).await;
    assert_eq!(wrong.expect(400).code(), "invalid_token");
    let first = TotpSecret::parse(secret).unwrap().code_of(step_at(server.service().ports.clock.now())).unwrap();
    let body = json!({"enrolment_token": token, "method": "totp", "otp": first.expose()});
    let opened = enrol(&api, body.clone()).await.expect(200);
    assert_eq!(enrol(&api, body).await.expect(400).code(), "invalid_token", "it was used");
    assert_eq!(opened.json()["backup_codes"].as_array().map(Vec::len), Some(10));
    assert!(opened.json()["refresh_token"].is_string());
    assert_eq!(claims(&opened.member("access_token"))["acr"], "aal2");
    let john = api.with_token(&opened.member("access_token"));
    assert_eq!(
        john.get("/mfa").await.expect(200).json(),
        json!({"sms": false, "totp": true, "backup_codes": 10, "passkeys": 0, "required": true})
    );
    let removed = john.send(john.request(Method::DELETE, "/mfa/totp")).await.expect(409);
    assert_eq!(removed.code(), "last_factor");
    let told = api.mail("mfa_changed", &person.email).await;
    assert!(told["subject"].as_str().unwrap().contains("authenticator app added"), "{told}");
    let login = api.login(&person.email, &person.password).await.expect(403);
    let _ = answer(&api, &login.member("mfa_token"), &next_code(&server, secret)).await.expect(200);
}

#[tokio::test]
async fn a_passkey_is_the_first_factor() {
    let server = server().await;
    let (api, person) = (server.realm("User2"), Person::john());
    let _ = api.verified(&person).await;
    let token = asked(&api, &person).await;
    let offer = confirm(&api, &token, &mailed(&api, &person, 1).await).await.expect(200);
    let mut authenticator = Authenticator::new(ORIGIN).unwrap();
    let credential = authenticator.create(&offer.json()["passkey_options"]);
    let body = json!({"enrolment_token": offer.member("enrolment_token"), "method": "passkey", "name": "Phone", "credential": credential});
    let opened = enrol(&api, body).await.expect(200);
    assert_eq!(claims(&opened.member("access_token"))["acr"], "phr");
    let john = api.with_token(&opened.member("access_token"));
    let listed = john.get("/passkeys").await.expect(200).json();
    assert_eq!(listed["passkeys"][0]["name"], "Phone");
    let path = format!("/passkeys/{}", listed["passkeys"][0]["id"].as_str().unwrap());
    assert_eq!(john.delete(&path).await.expect(409).code(), "last_factor");
}

#[tokio::test]
async fn the_other_realm_asks_for_nothing() {
    let server = server().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    assert_eq!(john.get("/mfa").await.expect(200).json()["required"], false);
}

#[tokio::test]
async fn sessions_from_before_the_realm_required_a_factor_are_over() {
    let mut server = TestServer::start_with(&[("RATE_LIMITS", "off")]).await;
    let person = Person::john();
    let (john, refresh) = server.realm("User2").logged_in(&person).await;
    let _ = john.get("/").await.expect(200);
    server.set("MFA_POLICY", "User2:required");
    server.restart().await;
    let api = server.realm("User2");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(api.form("/token", &form).await.expect(400).code(), "invalid_grant");
    let _ = asked(&api, &person).await;
}
