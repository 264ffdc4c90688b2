//! Every passkey with a mistake is refused with the documented answer, and changes nothing.

use portcullis_server::testkit::authenticator::Authenticator;
use portcullis_tests::passkey_mistakes::{ORIGIN, of_creations, of_signatures, spoil};
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

async fn server() -> TestServer {
    let settings = [("RATE_LIMITS", "off"), ("PASSKEY_RP_ID", "example.com"), ("PASSKEY_ORIGINS", ORIGIN)];
    TestServer::start_with(&settings).await
}

async fn begin(api: &Api, path: &str) -> Value {
    api.send(api.request(Method::POST, path)).await.expect(200).json()
}

async fn add(session: &Api, begun: &Value, credential: &Value) -> Answer {
    session.post("/passkeys", &json!({"token": begun["token"], "credential": credential, "name": "Phone"})).await
}

/// An account with a passkey, and a session that has shown it.
async fn with_passkey(api: &Api, person: &Person) -> (Api, Authenticator) {
    let (session, _) = api.logged_in(person).await;
    let mut authenticator = Authenticator::new(ORIGIN).unwrap();
    let begun = begin(&session, "/passkeys/options").await;
    let _ = add(&session, &begun, &authenticator.create(&begun["options"]).unwrap()).await.expect(201);
    let begun = begin(api, "/login/passkey/options").await;
    let pair = log_in(api, &begun, authenticator.get(&begun["options"]).unwrap()).await.expect(200);
    (api.with_token(&pair.member("access_token")), authenticator)
}

async fn log_in(api: &Api, begun: &Value, credential: Value) -> Answer {
    api.post("/login/passkey", &json!({"token": begun["token"], "credential": credential})).await
}

fn refused(answer: &Answer, why: &str) {
    let seen = (answer.status.as_u16(), answer.code(), answer.json()["error"].clone());
    assert_eq!(seen, (401, "invalid_passkey".to_owned(), json!("invalid_grant")), "{why}");
}

#[tokio::test]
async fn a_new_passkey_with_a_mistake_is_refused() {
    let server = server().await;
    let api = server.realm("User1");
    let (session, _) = with_passkey(&api, &Person::john()).await;
    let begun = begin(&session, "/passkeys/options").await;
    let mut new = Authenticator::new(ORIGIN).unwrap();
    for (why, mistake) in of_creations() {
        let draft = spoil(mistake, &mut new, |it| it.draft_creation(&begun["options"]));
        let answer = add(&session, &begun, &new.creation(&draft)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_token"), "{why}");
    }
    let good = new.create(&begun["options"]).unwrap();
    for (pointer, value) in [
        ("/type", json!("password")),
        ("/rawId", json!("!")),
        ("/response/attestationObject", json!("!")),
        ("/response/clientDataJSON", json!(7)),
        ("/response", json!({})),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert_eq!(add(&session, &begun, &wrong).await.expect(400).code(), "invalid_token", "{pointer}");
    }
    assert_eq!(session.get("/passkeys").await.expect(200).json()["passkeys"].as_array().unwrap().len(), 1);
    // a refusal does not use the challenge up, and success does
    let _ = add(&session, &begun, &good).await.expect(201);
    let replayed = add(&session, &begun, &Authenticator::new(ORIGIN).unwrap().create(&begun["options"]).unwrap()).await;
    assert_eq!(replayed.expect(400).code(), "invalid_token");
}

#[tokio::test]
async fn a_signature_with_a_mistake_is_refused() {
    let server = server().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (john, mut authenticator) = with_passkey(&api, &person).await;
    let begun = begin(&api, "/login/passkey/options").await;
    for (why, mistake) in of_signatures() {
        let draft = spoil(mistake, &mut authenticator, |it| it.draft_signature(&begun["options"]));
        refused(&log_in(&api, &begun, authenticator.signature(&draft).unwrap()).await, why);
    }
    let good = authenticator.get(&begun["options"]).unwrap();
    let other = authenticator.get(&json!({"rpId": "example.com", "challenge": "A".repeat(43)})).unwrap();
    for (why, pointer, value) in [
        ("the signature of other data", "/response/signature", other["response"]["signature"].clone()),
        ("no signature", "/response/signature", json!("")),
        ("a signature that is none", "/response/signature", json!("AAAA")),
        ("another type", "/type", json!("password")),
        ("another credential id", "/rawId", json!("A".repeat(43))),
        ("no user", "/response/userHandle", Value::Null),
        ("another user", "/response/userHandle", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("a user that is none", "/response/userHandle", json!("AAAA")),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        refused(&log_in(&api, &begun, wrong).await, why);
    }
    // a passkey of somebody else, of the same realm and of another one, under this user's name
    for (realm, email) in [("User1", "eve@example.test"), ("User2", "john@example.test")] {
        let (_, mut eves) = with_passkey(&server.realm(realm), &Person::named(email)).await;
        refused(&log_in(&server.realm("User2"), &begun, good.clone()).await, "another realm");
        let own = eves.user.clone();
        eves.user.clone_from(&authenticator.user);
        refused(&log_in(&api, &begun, eves.get(&begun["options"]).unwrap()).await, "somebody else's passkey");
        if realm == "User2" {
            eves.user = own;
            refused(&log_in(&api, &begun, eves.get(&begun["options"]).unwrap()).await, "another realm's user");
        }
    }
    authenticator.counter = 7;
    let _ = log_in(&api, &begun, authenticator.get(&begun["options"]).unwrap()).await.expect(200);
    refused(&log_in(&api, &begun, authenticator.get(&begun["options"]).unwrap()).await, "a replayed challenge");
    for counter in [7, 6, 0] {
        authenticator.counter = counter;
        let begun = begin(&api, "/login/passkey/options").await;
        refused(
            &log_in(&api, &begun, authenticator.get(&begun["options"]).unwrap()).await,
            "the counter has gone back",
        );
    }
    let _ = john.get("/").await.expect(200);
}

#[tokio::test]
async fn a_second_factor_and_a_step_up_refuse_the_same_mistakes() {
    let server = server().await;
    let api = server.realm("User1");
    let person = Person::john();
    let (john, mut authenticator) = with_passkey(&api, &person).await;
    let asked = john.post("/step_up", &json!({"password": person.password})).await.expect(403).json();
    let login = api.login(&person.email, &person.password).await.expect(403).json();
    // each wrong answer counts: as many as a challenge stands
    for (why, mistake) in of_signatures().into_iter().step_by(8) {
        let draft = spoil(mistake, &mut authenticator, |it| it.draft_signature(&login["passkey_options"]));
        let credential = authenticator.signature(&draft).unwrap();
        let answer = api.post("/login/mfa", &json!({"mfa_token": login["mfa_token"], "credential": credential})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_token"), "{why}");
        let draft = spoil(mistake, &mut authenticator, |it| it.draft_signature(&asked["passkey_options"]));
        let credential = authenticator.signature(&draft).unwrap();
        let body = json!({"password": person.password, "mfa_token": asked["mfa_token"], "credential": credential});
        let answer = john.post("/step_up", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_token"), "{why}");
    }
}
