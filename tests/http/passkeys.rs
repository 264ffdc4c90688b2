//! Passkeys over HTTP, with an authenticator in software.

use portcullis_server::testkit::authenticator::{Authenticator, SYNCED};
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::step_up::claims;

const ORIGIN: &str = "https://app.example.com";

async fn server() -> TestServer {
    let settings = [("RATE_LIMITS", "off"), ("PASSKEY_RP_ID", "example.com"), ("PASSKEY_ORIGINS", ORIGIN)];
    TestServer::start_with(&settings).await
}

async fn post_empty(api: &Api, path: &str) -> Answer {
    api.send(api.request(Method::POST, path)).await
}

/// Begins, has the authenticator answer, and adds what it answers.
async fn add(session: &Api, authenticator: &mut Authenticator, name: &str) -> Answer {
    let begun = post_empty(session, "/passkeys/options").await.expect(200).json();
    let credential = authenticator.create(&begun["options"]);
    session.post("/passkeys", &json!({"token": begun["token"], "credential": credential, "name": name})).await
}

/// A login whose authenticator answers the options.
async fn log_in(api: &Api, authenticator: &Authenticator) -> Answer {
    let begun = post_empty(api, "/login/passkey/options").await.expect(200).json();
    let credential = authenticator.get(&begun["options"]);
    api.post("/login/passkey", &json!({"token": begun["token"], "credential": credential})).await
}

/// A fresh session of somebody with a passkey, which has shown it.
async fn with_passkey(server: &TestServer, flags: u8) -> (Api, Person, Authenticator) {
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let mut authenticator = Authenticator::new(ORIGIN).unwrap();
    authenticator.flags |= flags;
    let _ = add(&john, &mut authenticator, "Laptop").await.expect(201);
    let pair = log_in(&api, &authenticator).await.expect(200);
    (api.with_token(&pair.member("access_token")), person, authenticator)
}

#[tokio::test]
async fn a_passkey_is_added_used_instead_of_a_password_renamed_and_removed() {
    let server = server().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let (other, _) = api.session(&person).await;
    let begun = post_empty(&john, "/passkeys/options").await.expect(200);
    assert_eq!(begun.header("cache-control"), "no-store");
    let begun = begun.json();
    let options = &begun["options"];
    assert_eq!((&options["challenge"], begun["expires_in"].as_u64()), (&begun["token"], Some(300)));
    assert_eq!((&options["rp"]["id"], &options["user"]["name"]), (&json!("example.com"), &json!(person.email)));
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let algorithms = options["pubKeyCredParams"].to_string();
    assert!(algorithms.contains("-7") && algorithms.contains("-257"), "{algorithms}");

    let mut authenticator = Authenticator::new(ORIGIN).unwrap();
    authenticator.flags |= SYNCED;
    let credential = authenticator.create(options);
    let body = json!({"token": begun["token"], "credential": credential, "name": "Laptop"});
    assert_eq!(other.post("/passkeys", &body).await.expect(400).code(), "invalid_token", "another session");
    let added = john.post("/passkeys", &body).await.expect(201);
    assert_eq!(added.json()["backup_codes"].as_array().map(Vec::len), Some(10), "the first factor");
    assert_eq!((&added.json()["name"], &added.json()["synced"]), (&json!("Laptop"), &json!(true)));
    assert_eq!(john.post("/passkeys", &body).await.expect(400).code(), "invalid_token", "the challenge was used");
    let _ = other.get("/").await.expect(401);
    let told = api.mail("mfa_changed", &person.email).await;
    assert!(told["subject"].as_str().unwrap().contains("passkey added"), "{told}");
    let overview = json!({"sms": false, "totp": false, "backup_codes": 10, "passkeys": 1, "required": false});
    assert_eq!(john.get("/mfa").await.expect(200).json(), overview);

    // without a password and without a name
    let begun = post_empty(&api, "/login/passkey/options").await.expect(200).json();
    assert_eq!(begun["options"]["allowCredentials"], json!([]));
    let pair = log_in(&api, &authenticator).await.expect(200);
    let shown = claims(&pair.member("access_token"));
    assert_eq!((&shown["amr"], &shown["acr"]), (&json!(["swk", "user", "mfa"]), &json!("phr")));
    let session = api.with_token(&pair.member("access_token"));
    let _ = api.refresh(&pair.member("refresh_token")).await.expect(200);

    let listed = session.get("/passkeys").await.expect(200).json();
    let id = listed["passkeys"][0]["id"].as_str().unwrap().to_owned();
    assert!(listed["passkeys"][0]["last_used_at"].is_string(), "{listed}");
    let path = format!("/passkeys/{id}");
    let renamed = session.json(Method::PATCH, &path, &json!({"name": " Büro "})).await.expect(200);
    assert_eq!(renamed.member("name"), "Büro");
    let wrong = session.json(Method::PATCH, &path, &json!({"name": ""})).await.expect(422);
    assert_eq!(wrong.json()["errors"][0]["code"], "name_empty");
    let _ = session.json(Method::PATCH, "/passkeys/pky_00", &json!({"name": "x"})).await.expect(404);
    let export = session.get("/export").await.expect(200).json();
    assert_eq!(export["passkeys"][0]["name"], "Büro");

    let known = add(&session, &mut authenticator, "Again").await.expect(409);
    assert_eq!(known.code(), "passkey_known");
    let _ = session.send(session.request(Method::DELETE, &path)).await.expect(204);
    let _ = session.send(session.request(Method::DELETE, &path)).await.expect(404);
    assert_eq!(log_in(&api, &authenticator).await.expect(401).code(), "invalid_passkey");
    let none = json!({"sms": false, "totp": false, "backup_codes": 0, "passkeys": 0, "required": false});
    assert_eq!(session.get("/mfa").await.expect(200).json(), none);
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_of_a_login_and_of_a_step_up() {
    let server = server().await;
    let (john, person, authenticator) = with_passkey(&server, 0).await;
    let api = server.realm("User1");
    let asked = api.login(&person.email, &person.password).await.expect(403).json();
    assert_eq!((&asked["code"], &asked["methods"]), (&json!("mfa_required"), &json!(["passkey", "backup_code"])));
    let options = &asked["passkey_options"];
    assert_eq!(
        (&options["challenge"], options["allowCredentials"].as_array().map(Vec::len)),
        (&asked["mfa_token"], Some(1))
    );
    let answer =
        json!({"mfa_token": asked["mfa_token"], "method": "passkey", "credential": authenticator.get(options)});
    let _ = server.realm("User2").post("/login/mfa", &answer).await.expect(400);
    let pair = api.post("/login/mfa", &answer).await.expect(200);
    let shown = claims(&pair.member("access_token"));
    assert_eq!((&shown["amr"], &shown["acr"]), (&json!(["pwd", "hwk", "user", "mfa"]), &json!("phr")));
    assert_eq!(api.post("/login/mfa", &answer).await.expect(400).code(), "invalid_token", "the challenge was used");
    let missing =
        api.post("/login/mfa", &json!({"mfa_token": asked["mfa_token"], "method": "passkey"})).await.expect(422);
    assert_eq!(missing.json()["errors"][0]["field"], "credential");

    let asked = john.post("/step_up", &json!({"password": person.password})).await.expect(403).json();
    let credential = authenticator.get(&asked["passkey_options"]);
    let without = json!({"password": person.password, "credential": credential});
    let missing = john.post("/step_up", &without).await.expect(422);
    assert_eq!(missing.json()["errors"][0]["field"], "mfa_token");
    let body = json!({"password": person.password, "mfa_token": asked["mfa_token"], "credential": credential});
    let stepped = john.post("/step_up", &body).await.expect(200);
    assert_eq!(claims(&stepped.member("access_token"))["acr"], "phr");
    let _ = john.post("/step_up", &body).await.expect(400);
}

#[tokio::test]
async fn a_challenge_is_good_once_in_one_realm_and_for_one_purpose() {
    let server = server().await;
    let (john, person, mut authenticator) = with_passkey(&server, 0).await;
    let api = server.realm("User1");
    let begun = post_empty(&api, "/login/passkey/options").await.expect(200).json();
    let body = json!({"token": begun["token"], "credential": authenticator.get(&begun["options"])});
    let _ = server.realm("User2").post("/login/passkey", &body).await.expect(401);
    let (one, two) = tokio::join!(api.post("/login/passkey", &body), api.post("/login/passkey", &body));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);

    // the challenge of a second factor, of a new passkey, and one that the client made up
    let asked = api.login(&person.email, &person.password).await.expect(403).json();
    let new = post_empty(&john, "/passkeys/options").await.expect(200).json();
    for token in [&asked["mfa_token"], &new["token"], &json!("A".repeat(43))] {
        let options = json!({"rpId": "example.com", "challenge": token});
        let body = json!({"token": token, "credential": authenticator.get(&options)});
        assert_eq!(api.post("/login/passkey", &body).await.expect(401).code(), "invalid_passkey");
    }
    let begun = post_empty(&api, "/login/passkey/options").await.expect(200).json();
    let other = post_empty(&api, "/login/passkey/options").await.expect(200).json();
    let mixed = json!({"token": begun["token"], "credential": authenticator.get(&other["options"])});
    let _ = api.post("/login/passkey", &mixed).await.expect(401);
    for credential in [json!({}), json!({"id": "x"}), authenticator.create(&new["options"]).unwrap()] {
        let body = json!({"token": begun["token"], "credential": credential});
        let _ = api.post("/login/passkey", &body).await.expect(401);
    }
    for credential in [json!(7), json!("x"), Value::Null] {
        let body = json!({"token": begun["token"], "credential": credential});
        let wrong = api.post("/login/passkey", &body).await.expect(422);
        assert_eq!(wrong.json()["errors"][0]["code"], "wrong_type");
    }
}

#[tokio::test]
async fn a_passkey_needs_recent_authentication_with_a_factor_and_undo_takes_it_back() {
    let server = server().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, _) = api.logged_in(&person).await;
    let mut authenticator = Authenticator::new(ORIGIN).unwrap();
    let _ = add(&john, &mut authenticator, "Thief's").await.expect(201);
    let stale = post_empty(&john, "/passkeys/options").await.expect(403);
    assert_eq!(stale.code(), "reauthentication_required", "the session has shown no factor");
    let id = john.get("/passkeys").await.json()["passkeys"][0]["id"].as_str().unwrap().to_owned();
    let removal = john.request(Method::DELETE, &format!("/passkeys/{id}"));
    let _ = john.send(removal).await.expect(403);
    let told = api.mail("mfa_changed", &person.email).await;
    let link = told["links"][0].as_str().unwrap();
    let token = link.split_once("token=").unwrap().1;
    let _ = api.post("/undo", &json!({"token": token, "password": person.password})).await.expect(200);
    assert_eq!(log_in(&api, &authenticator).await.expect(401).code(), "invalid_passkey");
}

#[tokio::test]
async fn an_operator_resets_passkeys_and_another_rp_id_is_refused_while_there_are_some() {
    let mut server = server().await;
    let (_, person, authenticator) = with_passkey(&server, 0).await;
    server.stop().await;
    server.set("PASSKEY_RP_ID", "app.example.com");
    let refused = server.try_boot().await.unwrap_err();
    assert!(refused.contains("passkeys of example.com") && refused.contains("PASSKEY_RP_ID=example.com"), "{refused}");
    server.set("PASSKEY_RP_ID", "example.com");
    let (code, _, errors) = server.operator(&["users", "reset-factors", &person.email, "--realm", "User1"]);
    assert_eq!(code, 0, "{errors}");
    server.set("PASSKEY_RP_ID", "app.example.com");
    server.boot().await;
    assert_eq!(log_in(&server.realm("User1"), &authenticator).await.expect(401).code(), "invalid_passkey");
}

#[tokio::test]
async fn well_known_addresses_name_pages_and_related_origins() {
    let settings = [
        ("APP_URL", "https://app.example.com/me"),
        ("PASSKEY_ORIGINS", "https://app.example.com,android:apk-key-hash:abc"),
        ("PASSKEY_RP_ID", "example.com"),
    ];
    let server = TestServer::start_with(&settings).await;
    let api = server.realm("User1");
    let pages = api.get("//.well-known/passkey-endpoints").await.expect(200).json();
    assert_eq!(pages, json!({"enroll": "https://app.example.com/me", "manage": "https://app.example.com/me"}));
    let origins = api.get("//.well-known/webauthn").await.expect(200).json();
    assert_eq!(origins, json!({"origins": ["https://app.example.com"]}));
    let plain = TestServer::start().await;
    let api = plain.realm("User1");
    assert_eq!(api.get("//.well-known/passkey-endpoints").await.expect(200).json(), json!({}));
    let begun = post_empty(&api, "/login/passkey/options").await.expect(200).json();
    assert_eq!(begun["options"]["rpId"], "localhost");
}

#[tokio::test]
async fn association_files_list_native_apps_and_an_android_app_is_an_origin() {
    let fingerprint = (0..32).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let android = format!("com.example.app={fingerprint}");
    let mut settings = vec![("RATE_LIMITS", "off"), ("PASSKEY_RP_ID", "example.com"), ("PASSKEY_ORIGINS", ORIGIN)];
    settings.extend([("PASSKEY_APPLE_APPS", "ABCDE12345.com.example.app"), ("PASSKEY_ANDROID_APPS", android.as_str())]);
    let server = TestServer::start_with(&settings).await;
    let api = server.realm("User1");
    let apple = api.get("//.well-known/apple-app-site-association").await.expect(200);
    assert_eq!(apple.json(), json!({"webcredentials": {"apps": ["ABCDE12345.com.example.app"]}}));
    assert_eq!(apple.header("content-type"), "application/json");
    let links = api.get("//.well-known/assetlinks.json").await.expect(200).json();
    let target = &links[0]["target"];
    assert_eq!((&target["package_name"], links.as_array().unwrap().len()), (&json!("com.example.app"), 1));
    assert_eq!(target["sha256_cert_fingerprints"], json!([fingerprint.to_uppercase()]));
    let (john, _) = api.logged_in(&Person::john()).await;
    // base64url of the bytes 0 to 31
    let mut app = Authenticator::new("android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    let _ = add(&john, &mut app, "Phone").await.expect(201);
    let _ = log_in(&api, &app).await.expect(200);
    let plain = TestServer::start().await;
    for path in ["apple-app-site-association", "assetlinks.json"] {
        let _ = plain.realm("User1").get(&format!("//.well-known/{path}")).await.expect(404);
    }
}
