//! Undo links over HTTP: the page, the restoring, the locking, and the reserved address.

use portcullis_tests::api::token_of;
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const NEW: &str = "thief@example.net";

/// Registers John, whose address a thief with his session then changes; the undo link and the thief's client.
async fn with_a_thief(api: &Api) -> (Person, String, Api) {
    let person = Person::john();
    let (session, _) = api.logged_in(&person).await;
    let _ = session.json(Method::PUT, "/update", &json!({"email": NEW})).await.expect(200);
    let link = token_of(&api.mail("email_change_confirm", NEW).await);
    let _ = api.post("/verify", &json!({"token": link})).await.expect(200);
    let undo = token_of(&api.mail("email_changed", &person.email).await);
    let thief = Person { email: NEW.to_owned(), ..person.clone() };
    let (thief, _) = api.session(&thief).await;
    (person, undo, thief)
}

#[tokio::test]
async fn a_page_asks_for_the_former_password_and_its_form_restores_the_account() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (person, undo, thief) = with_a_thief(&api).await;
    let page = async |query: String| {
        let request = api.request(Method::GET, &format!("/undo?{query}")).header("accept", "text/html");
        api.send(request).await
    };
    for query in [format!("token={undo}"), format!("token={undo}&utm_source=mail")] {
        let shown = page(query).await.expect(200);
        assert!(shown.header("content-type").starts_with("text/html"));
        assert!(
            shown.text.contains("type=\"password\"") && shown.text.contains("the e-mail address"),
            "{}",
            shown.text
        );
        assert!(!shown.text.contains(&person.email) && !shown.text.contains(NEW));
    }
    let preview = api.get(&format!("/undo?token={undo}")).await.expect(200);
    assert_eq!(preview.member("change"), "email");
    let _ = thief.get("/").await.expect(200);
    let form = async |fields: Vec<(&'static str, String)>| {
        api.send(api.request(Method::POST, "/undo").header("accept", "text/html").form(&fields)).await
    };
    let wrong = form(vec![("token", undo.clone()), ("password", "not this".to_owned())]).await.expect(403);
    assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("type=\"password\""), "{}", wrong.text);
    let empty = api.post("/undo", &json!({"token": undo, "password": ""})).await.expect(422);
    assert_eq!(empty.json()["errors"][0]["field"], "password");
    let done = form(vec![("token", undo.clone()), ("password", person.password.clone())]).await.expect(200);
    assert!(done.text.contains("The change is undone"), "{}", done.text);
    let _ = thief.get("/").await.expect(401);
    let _ = api.login(NEW, &person.password).await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(200);
    let reset = token_of(&api.mail("mail_password_reset", &person.email).await);
    let _ =
        api.post("/reset_password", &json!({"token": reset, "password": "an-entirely-Other-one-77"})).await.expect(200);
    assert!(form(vec![("token", undo.clone())]).await.expect(400).text.contains("does not work"));
    assert_eq!(api.post("/undo", &json!({"token": undo})).await.expect(400).code(), "invalid_token");
    assert!(page(format!("token={undo}")).await.expect(400).text.contains("does not work"));
}

#[tokio::test]
async fn without_the_password_the_account_is_disabled_and_the_operator_is_named() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (person, undo, thief) = with_a_thief(&api).await;
    let other = server.realm("User2");
    assert_eq!(other.post("/undo", &json!({"token": undo})).await.expect(400).code(), "invalid_token");
    for _ in 0..6 {
        let wrong = api.post("/undo", &json!({"token": undo, "password": "not this"})).await.expect(403);
        assert_eq!(wrong.code(), "wrong_password");
    }
    let late = api.post("/undo", &json!({"token": undo, "password": person.password})).await.expect(403);
    assert_eq!(late.code(), "wrong_password");
    let done = api.post("/undo", &json!({"token": undo})).await.expect(200);
    assert_eq!(done.member("result"), "disabled");
    assert!(done.member("message").contains("operator of Portcullis"), "{}", done.text);
    let _ = thief.get("/").await.expect(401);
    let _ = api.login(NEW, &person.password).await.expect(401);
}

#[tokio::test]
async fn the_former_address_stays_reserved_for_seven_days() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (person, _, thief) = with_a_thief(&api).await;
    let mut third = Person::named("JOHN.DOE@example.com");
    third.form["first_name"] = json!("Third");
    let free = api.post("/create", &Person::named("free@example.com").form).await.expect(201);
    let taken = api.post("/create", &third.form).await.expect(201);
    assert_eq!(taken.text.len(), free.text.len());
    let _ = api.mail("already_registered", &person.email).await;
    let login = |password: &'static str| api.login("john.doe@example.com", password);
    assert_eq!(login("SecureP@ssw0rd123!").await.expect(403).code(), "email_not_verified");
    let export = thief.get("/export").await.expect(200);
    assert_eq!(export.json()["former_states"][0]["email"], "john.doe@example.com");
    assert!(!export.text.contains("argon2"));
    server.advance(Duration::from_secs(7 * 86_400));
    let _ = api.post("/create", &third.form).await.expect(201);
    let link = token_of(&api.mails("mail_email_verify", "JOHN.DOE@example.com", 1).await.swap_remove(0));
    let _ = api.post("/verify", &json!({"token": link})).await.expect(200);
}

#[tokio::test]
async fn both_methods_share_one_bucket_of_ten_a_minute() {
    let server = TestServer::start_with(&[("RATE_LIMITS", "on")]).await;
    let api = server.realm("User1");
    let unknown = "A".repeat(43);
    for _ in 0..5 {
        let _ = api.get(&format!("/undo?token={unknown}")).await.expect(400);
        let _ = api.post("/undo", &json!({"token": unknown})).await.expect(400);
    }
    let limited = api.get(&format!("/undo?token={unknown}")).await.expect(429);
    assert!(!limited.header("retry-after").is_empty());
}
