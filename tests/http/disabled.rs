//! An account that an operator disables and enables, by the command line beside the running server.

use portcullis_tests::api::token_of;
use portcullis_tests::{Answer, Person, TestServer};
use serde_json::{Value, json};

/// All that an answer tells, but what is another for each request.
fn told(answer: &Answer) -> (u16, Vec<String>, Value) {
    let own = ["date", "x-request-id", "content-length"];
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
        .collect();
    headers.sort();
    let mut body = answer.json();
    for own in ["request_id", "token", "id"] {
        body.as_object_mut().unwrap().remove(own);
    }
    (answer.status.as_u16(), headers, body)
}

#[tokio::test]
async fn a_disabled_account_loses_its_sessions_at_once_and_answers_like_an_unknown_one() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let id = api.verified(&john).await;
    let (here, refresh) = api.session(&john).await;
    let (there, _) = api.session(&john).await;
    let (jane, _) = api.logged_in(&Person::named("jane@example.com")).await;
    let _ = api.post("/forget_password", &json!({"email": john.email})).await.expect(202);
    let reset = token_of(&api.mail("mail_password_reset", &john.email).await);

    let (code, out, error) = server.operator(&["users", "disable", &john.email, "--realm", "User1"]);
    assert!(
        code == 0 && out.trim() == format!("{id} in User1 is disabled: 2 sessions ended, and every token with them")
    );
    assert!(error.is_empty(), "{error}");
    for client in [&here, &there] {
        assert_eq!(client.get("/").await.expect(401).code(), "not_authenticated");
    }
    assert_eq!(api.refresh(&refresh).await.expect(400).code(), "invalid_grant");
    let body = json!({"token": reset, "password": "Mj4$rB8?nL1c-garden"});
    assert_eq!(api.post("/reset_password", &body).await.expect(400).code(), "invalid_token");

    // the right password of a disabled account, a wrong one of an enabled account, and an e-mail without an account
    let disabled = api.login(&john.email, &john.password).await;
    assert_eq!(disabled.status, 401);
    assert_eq!(told(&disabled), told(&api.login("jane@example.com", "wrong").await));
    assert_eq!(told(&disabled), told(&api.login("nobody@example.com", &john.password).await));
    let otp = |id: String| {
        let api = api.clone();
        async move { api.post("/otp_phone", &json!({"id": id, "phone": "+1234567890"})).await }
    };
    let nobody = "usr_00000000000000000000000000000000".to_owned();
    assert_eq!(told(&otp(id.clone()).await), told(&otp(nobody).await));
    for path in ["/forget_password", "/resend_verification"] {
        let ask = async |email: &str| told(&api.post(path, &json!({"email": email})).await);
        assert_eq!(ask(&john.email).await, ask("nobody@example.com").await, "{path}");
    }
    let created = api.post("/create", &john.form).await;
    assert_eq!(created.status, 201);
    // all of that work is done by now, for work is done in its order
    let _ = api.mail("already_registered", &john.email).await;
    let mails = api.mailbox().await;
    let resets = mails.iter().filter(|mail| mail["template"] == "mail_password_reset").count();
    assert!(resets == 1 && mails.iter().all(|mail| mail["channel"] == "email"), "{mails:?}");
    let _ = jane.get("/").await.expect(200);

    let (code, out, _) = server.operator(&["users", "enable", &id, "--realm", "User1"]);
    assert!(code == 0 && out.trim() == format!("{id} in User1 is enabled"), "{out}");
    let _ = here.get("/").await.expect(401);
    let _ = api.refresh(&refresh).await.expect(400);
    let _ = api.post("/reset_password", &body).await.expect(400);
    let (again, _) = api.session(&john).await;
    let export = again.get("/export").await.expect(200).json().to_string();
    assert!(export.contains("account_disabled") && export.contains("account_enabled"), "{export}");
}

#[tokio::test]
async fn disable_refuses_unknown_accounts_and_realms() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let call = |arguments: &[&str]| server.operator(&[&["users"], arguments].concat());
    for who in ["nobody@example.com", "usr_00000000000000000000000000000000", "john"] {
        let (code, out, error) = call(&["disable", who, "--realm", "User1"]);
        assert!(code == 3 && out.is_empty() && error.contains("no such account"), "{out}{error}");
    }
    // nothing crosses a realm
    let (code, _, error) = call(&["disable", &id, "--realm", "User2"]);
    assert!(code == 3 && error.contains("User2 has no such account"), "{error}");
    let (code, _, error) = call(&["disable", &id, "--realm", "User3"]);
    assert!(code == 1 && error.contains("User1, User2"), "{error}");
    assert_eq!(call(&["disable", &id]).0, 2, "a realm is named");
    let (user, _) = api.session(&Person::john()).await;
    let _ = user.get("/").await.expect(200);
    for told in ["is disabled: 1 session ended", "is disabled already: 0 sessions ended"] {
        let (code, out, error) = call(&["disable", &id, "--realm", "User1"]);
        assert!(code == 0 && out.contains(told), "{out}{error}");
    }
    let _ = user.get("/").await.expect(401);
}
