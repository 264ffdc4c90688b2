//! Registering, and who owns an address.

use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_mail_scanner_changes_nothing_and_the_button_does() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let token = token_of(&api.mail("mail_email_verify", &person.email).await);
    let path = format!("/verify?token={token}");
    for accept in ["*/*", "text/html", "application/json, */*", "application/json, text/html;q=0.1"] {
        let page = api.send(api.request(Method::GET, &path).header("accept", accept)).await.expect(200);
        assert!(page.header("content-type").starts_with("text/html"), "{accept}");
        assert!(page.header("content-security-policy").contains("style-src 'self'"));
    }
    let _ = api.login(&person.email, &person.password).await.expect(403);
    let _ = api.send(api.request(Method::HEAD, &path).header("accept", "application/json")).await.expect(405);
    let _ = api.login(&person.email, &person.password).await.expect(403);
    let verified = api.post("/verify", &json!({"token": token})).await.expect(200);
    assert_eq!(verified.json()["message"], "Email verified successfully");
    let again = api.post("/verify", &json!({"token": token})).await.expect(400);
    assert_eq!(again.code(), "invalid_token");
    let page =
        api.send(api.request(Method::POST, "/verify").header("accept", "text/html").form(&[("token", &token)])).await;
    assert_eq!(page.status, 400);
    assert!(page.header("content-type").starts_with("text/html"));
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn an_api_client_that_takes_json_alone_verifies_by_get() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let _ = api.post("/create", &Person::john().form).await.expect(201);
    let token = token_of(&api.mail("mail_email_verify", "john.doe@example.com").await);
    let _ = api.get(&format!("/verify?token={token}")).await.expect(200);
    let _ = api.get(&format!("/verify?token={token}")).await.expect(400);
}

#[tokio::test]
async fn the_typed_code_dies_after_five_wrong_tries_and_the_link_does_not() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let mail = api.mail("mail_email_verify", &person.email).await;
    let code = mail["code"].as_str().unwrap().to_lowercase();
    for _ in 0..5 {
        let wrong = api.post("/verify", &json!({"email": person.email, "code": "333333"})).await.expect(400);
        assert_eq!(wrong.code(), "invalid_token");
    }
    let _ = api.post("/verify", &json!({"email": person.email, "code": code})).await.expect(400);
    let _ = api.post("/verify", &json!({"token": token_of(&mail)})).await.expect(200);

    let jane = Person::named("jane@example.com");
    let _ = api.post("/create", &jane.form).await.expect(201);
    let code = api.mail("mail_email_verify", &jane.email).await["code"].as_str().unwrap().to_lowercase();
    let _ = api.post("/verify", &json!({"email": "JANE@example.com", "code": code})).await.expect(200);
}

#[tokio::test]
async fn the_used_link_decides_which_registration_becomes_the_account() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let owner = Person::named("owner@example.com");
    let mut thief = owner.clone();
    thief.password = "the-thiefs-own-Passw0rd!".to_owned();
    thief.form["password"] = json!(thief.password);
    thief.form["first_name"] = json!("Mallory");
    let _ = api.post("/create", &thief.form).await.expect(201);
    let id = api.post("/create", &owner.form).await.expect(201).member("id");
    let mails = api.mails("mail_email_verify", &owner.email, 2).await;
    // the mails show no name, for a stranger may have chosen it; the page of the link does
    assert!(mails.iter().all(|mail| !mail.to_string().contains("John") && !mail.to_string().contains("Mallory")));
    let mut links = Vec::new();
    for mail in &mails {
        let link = token_of(mail);
        let request = api.request(Method::GET, &format!("/verify?token={link}")).header("accept", "text/html");
        links.push((api.send(request).await.expect(200).text, link));
    }
    let of = |name: &str| links.iter().find(|(page, _)| page.contains(name)).unwrap().1.clone();
    let (link, of_thief) = (of("John"), of("Mallory"));
    // the reader of the mail can't tell whose registration it is: the password does
    let asked = api.post("/verify", &json!({"token": link})).await.expect(422);
    assert_eq!(
        (&asked.json()["errors"][0]["field"], &asked.json()["errors"][0]["code"]),
        (&json!("password"), &json!("required"))
    );
    let planted = json!({"token": of_thief, "password": owner.password});
    assert_eq!(api.post("/verify", &planted).await.expect(403).code(), "wrong_password");
    let verified = api.post("/verify", &json!({"token": link, "password": owner.password})).await.expect(200);
    assert_eq!(verified.member("id"), id);
    let _ = api.post("/verify", &json!({"token": of_thief})).await.expect(400);
    // as for any address that is registered and not proven
    assert_eq!(api.login(&thief.email, &thief.password).await.expect(403).code(), "email_not_verified");
    let _ = api.login(&owner.email, &owner.password).await.expect(200);
}

#[tokio::test]
async fn this_was_not_me_throws_the_registration_away() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let token = token_of(&api.mail("mail_email_verify", &person.email).await);
    let reject = api.request(Method::POST, "/verify").header("accept", "text/html");
    let page = api.send(reject.form(&[("token", token.as_str()), ("reject", "true")])).await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let _ = api.post("/verify", &json!({"token": token})).await.expect(400);
    let _ = api.login(&person.email, &person.password).await.expect(401);
}

#[tokio::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_a_notice() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.verified(&person).await;
    let taken = api.post("/create", &person.form).await.expect(201).json();
    let free = api.post("/create", &Person::named("free@example.com").form).await.expect(201).json();
    assert_eq!(taken["message"], free["message"]);
    assert_eq!(taken["email"], free["email"]);
    let _ = api.mail("already_registered", &person.email).await;
    let _ = api.login(&person.email, &person.password).await.expect(200);

    let open = TestServer::start_with(&[("ACCOUNT_ENUMERATION", "allow")]).await;
    let api = open.realm("User1");
    let _ = api.verified(&person).await;
    assert_eq!(api.post("/create", &person.form).await.expect(409).code(), "email_taken");
}

#[tokio::test]
async fn links_expire_to_the_second_and_a_new_mail_kills_the_old_link() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let first = token_of(&api.mail("mail_email_verify", &person.email).await);
    let resent = api.post("/resend_verification", &json!({"email": person.email})).await.expect(202);
    let unknown = api.post("/resend_verification", &json!({"email": "nobody@example.com"})).await.expect(202);
    assert_eq!(resent.text, unknown.text);
    let second = token_of(&api.mails("mail_email_verify", &person.email, 2).await[0]);
    let _ = api.post("/verify", &json!({"token": first})).await.expect(400);
    server.advance(Duration::from_secs(24 * 3600 - 1));
    let page = api.send(api.request(Method::GET, &format!("/verify?token={second}"))).await;
    assert_eq!(page.status, 200);
    server.advance(Duration::from_secs(1));
    let _ = api.post("/verify", &json!({"token": second})).await.expect(400);
    let _ = api.login(&person.email, &person.password).await.expect(401);
}

#[tokio::test]
async fn every_error_of_every_field_is_reported_at_once() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let wrong = json!({
        "first_name": "", "last_name": "a\u{202e}b", "email": "nobody", "phone": "12", "country_code": "XX",
        "password": "password", "is_email_verified": true, "admin": 1,
    });
    let problem = api.post("/create", &wrong).await.expect(422);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let mut told: Vec<(String, String)> = problem.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["field"].as_str().unwrap().to_owned(), e["code"].as_str().unwrap().to_owned()))
        .collect();
    told.sort();
    let expected = [
        ("admin", "unknown_field"),
        ("country_code", "country_unknown"),
        ("email", "email_invalid"),
        ("first_name", "name_empty"),
        ("is_email_verified", "unknown_field"),
        ("last_name", "name_forbidden_character"),
        ("password", "password_breached"),
        ("password", "password_too_weak"),
        ("phone", "phone_invalid"),
    ];
    assert_eq!(told, expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    assert!(!problem.text.contains("nobody"), "a value came back: {}", problem.text);
    let breached = Person::john().form;
    let mut breached = breached;
    breached["password"] = json!("correct horse battery staple");
    let problem = api.post("/create", &breached).await.expect(422);
    assert_eq!(problem.json()["errors"][0]["code"], "password_breached");
}
