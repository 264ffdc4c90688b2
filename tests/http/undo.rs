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

/// Over the API, and over the forms of the page.
#[tokio::test]
async fn a_code_to_the_phone_from_before_the_change_is_a_proof() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (session, _) = api.logged_in(&person).await;
    let phone = "+1234567890";
    let id = session.get("/").await.expect(200).member("id");
    let asked = api.post("/otp_phone", &json!({"id": id, "phone": phone})).await.expect(202).member("token");
    let code = |message: serde_json::Value| message["code"].as_str().unwrap().to_owned();
    let otp = code(api.mail("otp", phone).await);
    let _ = api.post("/verify_otp_phone", &json!({"token": asked, "otp": otp})).await.expect(200);
    let _ = session.json(Method::PUT, "/mfa", &json!({"sms": true, "password": person.password})).await.expect(200);
    let undo = token_of(&api.mail("mfa_changed", &person.email).await);
    let refused = api.post("/undo", &json!({"token": undo, "factor": "sms"})).await.expect(409);
    assert_eq!(refused.code(), "phone_not_verified", "the factor was off before this change");

    let login = api.login(&person.email, &person.password).await.expect(403);
    let otp = code(api.mail("mfa_otp", phone).await);
    let answer = json!({"mfa_token": login.member("mfa_token"), "otp": otp});
    let pair = api.post("/login/mfa", &answer).await.expect(200);
    let thief = api.with_token(&pair.member("access_token"));
    let change = json!({"current_password": person.password, "password": "a-Thief-chose-this-99"});
    let thief = api.with_token(&thief.post("/change_password", &change).await.expect(200).member("access_token"));
    let undo = token_of(&api.mail("password_changed", &person.email).await);
    let preview = api.get(&format!("/undo?token={undo}")).await.expect(200);
    assert_eq!(preview.json()["proofs"], json!(["password", "sms"]));
    for (body, field) in [
        (json!({"token": undo, "factor": "voice"}), "factor"),
        (json!({"token": undo, "otp": "123456"}), "mfa_token"),
        (json!({"token": undo, "mfa_token": "A"}), "otp"),
        (json!({"token": undo, "factor": "sms", "password": person.password}), "token"),
    ] {
        assert_eq!(api.post("/undo", &body).await.expect(422).json()["errors"][0]["field"], field, "{body}");
    }
    let form = async |fields: Vec<(&'static str, String)>| {
        api.send(api.request(Method::POST, "/undo").header("accept", "text/html").form(&fields)).await
    };
    let page = form(vec![("token", undo.clone()), ("factor", "sms".to_owned())]).await.expect(200);
    assert!(page.text.contains("name=\"otp\"") && page.text.contains("name=\"mfa_token\""), "{}", page.text);
    // the next challenge replaces this one, also before its code is sent
    let _ = api.mails("mfa_otp", phone, 2).await;
    let challenge = api.post("/undo", &json!({"token": undo, "factor": "sms"})).await.expect(403);
    assert_eq!((challenge.code().as_str(), &challenge.json()["methods"]), ("mfa_required", &json!(["sms"])));
    let mfa_token = challenge.member("mfa_token");
    let otp = code(api.mails("mfa_otp", phone, 3).await.swap_remove(0));
    let wrong = if otp == "000000" { "000001" } else { "000000" };
    let proof = |otp: &str| json!({"token": undo, "mfa_token": mfa_token, "otp": otp});
    assert_eq!(api.post("/undo", &proof(wrong)).await.expect(400).code(), "invalid_token");
    let wrong = form(vec![("token", undo.clone()), ("mfa_token", mfa_token.clone()), ("otp", wrong.to_owned())]).await;
    assert!(wrong.expect(400).text.contains("role=\"alert\""));
    assert_eq!(api.post("/undo", &proof(&otp)).await.expect(200).member("result"), "restored");
    let _ = thief.get("/").await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(403);
    let _ = api.login(&person.email, "a-Thief-chose-this-99").await.expect(401);
}

#[tokio::test]
async fn a_change_beyond_the_limit_is_a_clear_429() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (session, _) = api.logged_in(&person).await;
    for n in 0..20 {
        let phone = json!({"phone": format!("+120255501{n:02}")});
        let _ = session.json(Method::PATCH, "/update", &phone).await.expect(200);
    }
    let phone = json!({"phone": "+12025550199"});
    let refused = session.json(Method::PATCH, "/update", &phone).await.expect(429);
    assert_eq!(refused.code(), "too_many_changes");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((604_000..=604_800).contains(&wait), "{wait}");
    let undo = token_of(&api.mails("phone_changed", &person.email, 20).await.swap_remove(19));
    let _ = api.post("/undo", &json!({"token": undo, "password": person.password})).await.expect(200);
    let (session, _) = api.session(&person).await;
    let _ = session.json(Method::PATCH, "/update", &phone).await.expect(200);
}
