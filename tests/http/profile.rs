//! The profile: shown, changed, exported, deleted.

use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn only_ones_own_profile_and_only_its_newest_version() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let (john, _) = api.session(&Person::john()).await;
    let _ = john.get(&format!("/?id={id}")).await.expect(200);
    let _ = john.get("/?id=usr_00000000000000000000000000000000").await.expect(403);
    let _ = api.get("/").await.expect(401);
    let etag = john.get("/").await.header("etag");
    let update = |etag: &str| john.request(Method::PATCH, "/update").header("if-match", etag.to_owned());
    let changed = john.send(update(&etag).json(&json!({"last_name": "O'Brien"}))).await.expect(200);
    assert_eq!(changed.json()["last_name"], "O'Brien");
    assert_ne!(changed.header("etag"), etag);
    let stale = john.send(update(&etag).json(&json!({"last_name": "X"}))).await.expect(412);
    assert_eq!(stale.code(), "precondition_failed");
    let _ = john.send(update("\"nonsense\"").json(&json!({"last_name": "X"}))).await.expect(412);
    let unchanged = john.request(Method::GET, "/").header("if-none-match", changed.header("etag"));
    let _ = john.send(unchanged).await.expect(304);
    for (body, code) in [
        (json!({"is_phone_verified": true}), "unknown_field"),
        (json!({"id": "usr_1"}), "unknown_field"),
        (json!({"password": 7}), "wrong_type"),
        (json!({"first_name": 7}), "wrong_type"),
        (json!({"phone": "+49301234567"}), "phone_country_mismatch"),
        (json!({"country_code": "DE"}), "phone_country_mismatch"),
    ] {
        let refused = john.json(Method::PUT, "/update", &body).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["code"], code, "{body}");
    }
    let moved = json!({"phone": "+49301234567", "country_code": "DE"});
    let moved = john.json(Method::PUT, "/update", &moved).await.expect(200).json();
    assert_eq!((moved["country"].as_str(), moved["is_phone_verified"].as_bool()), (Some("DE"), Some(false)));
}

#[tokio::test]
async fn a_new_address_counts_once_its_link_is_followed() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (old, new) = ("john.doe@example.com", "Johnny@Example.org");
    let person = Person::john();
    let (john, _) = api.logged_in(&person).await;
    let waiting = john.json(Method::PUT, "/update", &json!({"email": new})).await.expect(200).json();
    assert_eq!((waiting["email"].as_str(), waiting["pending_email"].as_str()), (Some(old), Some(new)));
    let _ = api.mail("email_change_requested", old).await;
    let token = token_of(&api.mail("email_change_confirm", new).await);
    let _ = api.login(old, &person.password).await.expect(200);
    let _ = api.login(new, &person.password).await.expect(401);
    let page =
        api.send(api.request(Method::GET, &format!("/verify?token={token}")).header("accept", "text/html")).await;
    assert_eq!(page.status, 200);
    let _ = api.login(old, &person.password).await.expect(200);
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    let _ = api.mail("email_changed", old).await;
    let _ = api.login(old, &person.password).await.expect(401);
    let _ = api.login("johnny@example.org", &person.password).await.expect(200);
    let _ = john.get("/").await.expect(401);
    let profile = api.session(&Person::named("johnny@example.org")).await.0.get("/").await.expect(200).json();
    assert_eq!(profile["email"], new);
    assert!(profile.get("pending_email").is_none());
    let _ = api.post("/verify", &json!({"token": token})).await.expect(400);
}

#[tokio::test]
async fn a_taken_new_address_gets_the_same_answer_and_is_never_used() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let jane = Person::named("jane@example.com");
    let _ = api.verified(&jane).await;
    let (john, _) = api.logged_in(&Person::john()).await;
    let taken = john.json(Method::PUT, "/update", &json!({"email": jane.email})).await.expect(200).json();
    assert_eq!(taken["pending_email"], "jane@example.com");
    let _ = api.mail("already_registered", &jane.email).await;
    assert!(api.mailbox().await.iter().all(|mail| mail["template"] != "email_change_confirm"));
    let _ = api.login(&jane.email, &jane.password).await.expect(200);
}

#[tokio::test]
async fn deleting_needs_a_fresh_login_or_the_password() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (john, _) = api.logged_in(&person).await;
    server.advance(Duration::from_secs(15 * 60 + 1));
    assert_eq!(john.delete("/delete").await.expect(403).code(), "reauthentication_required");
    let wrong = john.json(Method::DELETE, "/delete", &json!({"password": "x"})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
    let _ = john.json(Method::DELETE, "/delete", &json!({"password": person.password})).await.expect(200);
    let _ = john.get("/").await.expect(401);
    // the address is free again, and the new account is another one
    let _ = api.logged_in(&person).await;
    let fresh = api.session(&person).await.0;
    let wrong = fresh.json(Method::DELETE, "/delete", &json!({"password": "x"})).await.expect(403);
    assert_eq!(wrong.code(), "wrong_password");
}

#[tokio::test]
async fn an_export_has_everything_stored() {
    let server = TestServer::start().await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let export = john.get("/export").await.expect(200).json();
    assert_eq!(export["profile"]["email"], "john.doe@example.com");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    let events: Vec<&str> = export["events"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    for event in ["registered", "email_verified", "logged_in"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
}

/// A tag is one account's: another's gets the whole profile.
#[tokio::test]
async fn an_entity_tag_is_of_one_account() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (one, _) = api.logged_in(&Person::named("one@example.com")).await;
    let (two, _) = api.logged_in(&Person::named("two@example.com")).await;
    let tag = one.get("/").await.expect(200).header("etag");
    assert_ne!(tag, two.get("/").await.expect(200).header("etag"));
    let with = |api: &portcullis_tests::Api| api.request(reqwest::Method::GET, "/").header("if-none-match", &tag);
    let _ = one.send(with(&one)).await.expect(304);
    let _ = two.send(with(&two)).await.expect(200);
}
