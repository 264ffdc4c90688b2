//! Requests as existing clients send them, in both realms.

use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn requests_of_existing_clients_work_in_both_realms() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "on")]).await;
    for realm in ["User1", "User2"] {
        let api = server.realm(realm);
        let body = r#"{
    "first_name": "John",
    "last_name": "Doe",
    "email": "john.doe@example.com",
    "phone": "+1234567890",
    "country_code": "US",
    "password": "SecureP@ssw0rd123!"
  }"#;
        let create = api.request(Method::POST, "/create").header("content-type", "application/json");
        let created = api.send(create.header("user-agent", "YourApp/1.0").body(body)).await.expect(201).json();
        assert_eq!(created["message"], "User created successfully");
        assert_eq!(created["email"], "[ENCRYPTED]");
        let id = created["id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("usr_"));

        let unverified = api.login("john.doe@example.com", "SecureP@ssw0rd123!").await.expect(403);
        assert_eq!(unverified.code(), "email_not_verified");

        let mails = api.mails("mail_email_verify", "john.doe@example.com", 1).await;
        let mail = mails.iter().find(|m| m["links"][0].as_str().unwrap().contains(realm)).unwrap();
        assert_eq!(mail["code"].as_str().unwrap().len(), 6);
        let link = mail["links"][0].as_str().unwrap();
        assert!(link.starts_with(&format!("http://{}/{realm}/verify?token=", server.address())), "{link}");
        let page = api.send(reqwest::Client::new().get(link).header("accept", "text/html")).await.expect(200);
        assert!(page.text.contains("John") && page.text.contains("<form"), "{}", page.text);
        let button = api.request(Method::POST, "/verify").header("accept", "text/html");
        let verified = api.send(button.form(&[("token", token_of(mail))])).await.expect(200);
        assert!(verified.header("content-type").starts_with("text/html"));

        let login = api.request(Method::POST, "/login").header("content-type", "application/x-www-form-urlencoded");
        let login = login.body("username=john.doe@example.com&password=SecureP@ssw0rd123!");
        let login = api.send(login.header("user-agent", "YourApp/1.0")).await.expect(200);
        assert_eq!(login.json()["token_type"], "bearer");
        assert_eq!(login.json()["expires_in"], 1800);
        assert_eq!(login.header("cache-control"), "no-store");
        let john = api.with_token(&login.member("access_token"));

        let profile = john.get("/").await.expect(200);
        assert_eq!(profile.json()["id"], id.as_str());
        assert_eq!(profile.json()["first_name"], "John");
        assert_eq!(profile.json()["country"], "US");
        let renamed = john.json(Method::PUT, "/update", &json!({"first_name": "Johnny"})).await.expect(200);
        assert_eq!(renamed.json()["first_name"], "Johnny");
        let out = john.get("/logout").await.expect(200);
        assert_eq!(out.json(), json!({"message": "Logout successfully"}));
        let _ = john.get("/").await.expect(401);

        let (john, _) = api.session(&Person::john()).await;
        let gone = john.delete("/delete").await.expect(200);
        assert_eq!(gone.json(), json!({"message": "User deleted successfully"}));
        let _ = john.get("/").await.expect(401);
        let _ = api.login("john.doe@example.com", "SecureP@ssw0rd123!").await.expect(401);
    }
    let health = server.realm("User1").get("//health").await.expect(200).json();
    assert_ne!(health["services"]["redis"], "unhealthy");
    assert_eq!(health["status"], "healthy");
}

#[tokio::test]
async fn nothing_crosses_a_realm() {
    let server = TestServer::start().await;
    let (one, two) = (server.realm("User1"), server.realm("User2"));
    let (john, refresh) = one.logged_in(&Person::john()).await;
    let token = john.token.clone().unwrap();
    assert_eq!(two.with_token(&token).get("/").await.expect(401).code(), "not_authenticated");
    assert_eq!(two.refresh(&refresh).await.expect(400).code(), "invalid_grant");
    assert_eq!(two.login("john.doe@example.com", "SecureP@ssw0rd123!").await.expect(401).code(), "invalid_credentials");
    // a link of one realm is nothing in the other
    let _ = one.post("/create", &Person::named("jane@example.com").form).await.expect(201);
    let link = token_of(&one.mail("mail_email_verify", "jane@example.com").await);
    assert_eq!(two.post("/verify", &json!({"token": link})).await.expect(400).code(), "invalid_token");
    let _ = one.post("/verify", &json!({"token": link})).await.expect(200);
    // and the same address is free there
    let _ = two.verified(&Person::john()).await;
}
