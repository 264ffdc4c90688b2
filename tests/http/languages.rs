//! Languages: mails, SMS and pages follow the account, messages of errors follow the request, codes never change.

use portcullis_tests::api::{Answer, token_of};
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::json;

async fn in_language(api: &Api, path: &str, language: &str, body: &serde_json::Value) -> Answer {
    let request = api.request(Method::POST, path).header("accept", "application/json");
    api.send(request.header("accept-language", language).json(body)).await
}

/// A page as a browser gets it.
async fn page(api: &Api, request: reqwest::RequestBuilder, language: &str) -> Answer {
    api.send(request.header("accept", "text/html").header("accept-language", language)).await
}

#[tokio::test]
async fn mails_sms_and_pages_follow_the_language_of_the_registration() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let _ = in_language(&api, "/create", "de-AT,de;q=0.9,en;q=0.5", &john.form).await.expect(201);
    let mail = api.mail("mail_email_verify", &john.email).await;
    assert_eq!(mail["subject"], "Portcullis: bitte bestätigen Sie Ihre E-Mail-Adresse");
    assert!(mail["text"].as_str().unwrap().contains("Link und Code gelten 24 Stunden, einmal."));
    assert!(mail["html"].as_str().unwrap().contains("<html lang=\"de\" dir=\"ltr\">"));

    // the page of the link is its reader's, whatever the browser asks for
    let token = token_of(&mail);
    let button = page(&api, api.request(Method::GET, &format!("/verify?token={token}")), "en").await.expect(200);
    assert!(button.text.contains("Ja, meine Adresse bestätigen") && button.text.contains("<html lang=\"de\""));
    let confirmed = page(&api, api.request(Method::POST, "/verify").form(&[("token", &token)]), "en").await.expect(200);
    assert!(confirmed.text.contains("E-Mail-Adresse</span> ist bestätigt"));
    // the page of a dead link has the language of the browser
    let dead = page(&api, api.request(Method::GET, &format!("/verify?token={token}")), "de").await.expect(400);
    assert!(dead.text.contains("Dieser Link oder Code funktioniert nicht"));

    // a login in another language changes nothing: it may be a thief's
    let form = [("username", &*john.email), ("password", &*john.password)];
    let login = api.send(api.request(Method::POST, "/login").header("accept-language", "en").form(&form)).await;
    let me = api.with_token(&login.expect(200).member("access_token"));
    assert_eq!(me.get("/").await.expect(200).member("locale"), "de-AT");
    let _ = api.post("/forget_password", &json!({"email": john.email})).await.expect(202);
    let reset = api.mail("mail_password_reset", &john.email).await;
    assert_eq!(reset["subject"], "Portcullis: Passwort zurücksetzen");
    let id = me.get("/").await.expect(200).member("id");
    let _ = api.post("/otp_phone", &json!({"id": id, "phone": "+1234567890"})).await.expect(202);
    let sms = api.mail("otp", "+1234567890").await;
    assert!(sms["text"].as_str().unwrap().contains("Er gilt 5 Minuten."));

    // the form tells in German what is wrong with a password
    let token = token_of(&reset);
    let fields = [("token", &*token), ("password", "abcdefgh")];
    let form = page(&api, api.request(Method::POST, "/reset_password").form(&fields), "en").await.expect(422);
    assert!(form.text.contains("Dieses Passwort ist zu leicht zu erraten."), "{}", form.text);
    assert!(!form.text.contains("easy to guess"), "{}", form.text);
}

#[tokio::test]
async fn the_owner_changes_the_language_and_a_deletion_still_speaks_it() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let (me, _) = api.logged_in(&john).await;
    assert_eq!(me.get("/").await.expect(200).member("locale"), "en");
    for wrong in ["de_DE", "", "x", "German language"] {
        let refused = me.json(Method::PUT, "/update", &json!({"locale": wrong})).await.expect(422);
        let error = &refused.json()["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("locale"), &json!("value_invalid")), "{wrong}");
    }
    let changed = me.json(Method::PUT, "/update", &json!({"locale": "de-ch"})).await.expect(200);
    assert_eq!(changed.member("locale"), "de-CH");
    assert_eq!(me.get("/export").await.expect(200).json()["profile"]["locale"], "de-CH");
    let exported = api.mail("data_exported", &john.email).await;
    assert_eq!(exported["subject"], "Portcullis: Ihre Daten wurden ausgegeben");
    // a language without texts is kept, and English is sent
    let _ = me.json(Method::PATCH, "/update", &json!({"locale": "fr"})).await.expect(200);
    let _ = api.post("/forget_password", &json!({"email": john.email})).await.expect(202);
    assert_eq!(api.mail("mail_password_reset", &john.email).await["subject"], "Portcullis: reset your password");
    let _ = me.json(Method::PATCH, "/update", &json!({"locale": "de"})).await.expect(200);
    let _ = me.delete("/delete").await.expect(200);
    let notice = api.mail("account_deleted", &john.email).await;
    assert_eq!(notice["subject"], "Portcullis: Ihr Konto wurde gelöscht");
}

#[tokio::test]
async fn messages_of_errors_follow_the_request_and_codes_never_change() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let mut form = Person::john().form;
    form["email"] = json!("nobody");
    form["password"] = json!("abcdefgh");
    let german = in_language(&api, "/create", "de", &form).await.expect(422).json();
    let english = in_language(&api, "/create", "fr", &form).await.expect(422).json();
    let of = |answer: &serde_json::Value, member: &str| -> Vec<String> {
        answer["errors"].as_array().unwrap().iter().map(|error| error[member].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&german, "code"), of(&english, "code"));
    assert_eq!(of(&german, "message")[0], "Das ist keine E-Mail-Adresse");
    assert_eq!(of(&english, "message")[0], "This is not an e-mail address");
    assert_eq!(german["title"], english["title"]);
    let missing = page(&api, api.request(Method::GET, "/nothing"), "de").await.expect(404);
    assert!(missing.text.contains("Hier ist nichts") && missing.text.contains("not_found"), "{}", missing.text);
}
