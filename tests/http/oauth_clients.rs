//! OAuth clients: how they authenticate, and whose tokens they get.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_tests::{Answer, Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

const ID: &str = "reports/2";
/// Its characters mean something else where they are not encoded.
const SECRET: &str = "kX9+vQ2%mT7&rB4=nL8wZ1cF6 hJ3pD5sG0yA";
/// Both as a form writes them.
const ENCODED: &str = "reports%2F2:kX9%2BvQ2%25mT7%26rB4%3DnL8wZ1cF6+hJ3pD5sG0yA";

async fn server() -> TestServer {
    TestServer::start_with(&[("SERVICE_CLIENTS", &format!("{ID}:{SECRET}@User1"))]).await
}

fn claims(answer: &Answer) -> Value {
    let token = answer.member("access_token");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// A POST of a form, with these credentials of HTTP Basic.
async fn post(api: &Api, path: &str, basic: Option<&str>, form: &[(&str, &str)]) -> Answer {
    let request = api.request(Method::POST, path).form(form);
    api.send(match basic {
        Some(basic) => request.header("authorization", format!("Basic {}", STANDARD.encode(basic))),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_client_sends_its_secret_as_its_library_does() {
    let server = server().await;
    let api = server.realm("User1");
    let (john, _) = api.logged_in(&Person::john()).await;
    let token = john.token.as_deref().unwrap();
    let raw = format!("{ID}:{SECRET}");
    let in_form = [("token", token), ("client_id", ID), ("client_secret", SECRET)];
    for (basic, form) in [(Some(&*raw), &in_form[..1]), (Some(ENCODED), &in_form[..1]), (None, &in_form)] {
        let answer = post(&api, "/introspect", basic, form).await.expect(200).json();
        assert_eq!((&answer["active"], &answer["client_id"]), (&json!(true), &json!("User1")), "{basic:?}");
    }
    let wrong = [("token", token), ("client_id", ID), ("client_secret", "a guess")];
    assert_eq!(post(&api, "/introspect", None, &wrong).await.expect(401).json()["error"], "invalid_client");
    // a client of one realm is none of another
    let _ = post(&server.realm("User2"), "/introspect", None, &in_form).await.expect(401);
    let _ = post(&api, "/revoke", Some(ENCODED), &in_form[..1]).await.expect(200);
    assert_eq!(post(&api, "/introspect", None, &in_form).await.expect(200).json(), json!({"active": false}));
}

#[tokio::test]
async fn the_client_id_of_a_token_is_the_client_that_authenticated_itself() {
    let server = server().await;
    let api = server.realm("User1");
    let person = Person::john();
    let _ = api.verified(&person).await;
    let grant = [("grant_type", "password"), ("username", &*person.email), ("password", &*person.password)];
    let with = |more: &[(&'static str, &'static str)]| [&grant[..], more].concat();
    let in_form = with(&[("client_id", ID), ("client_secret", SECRET)]);
    for (basic, form) in [(Some(ENCODED), &grant[..]), (None, &in_form)] {
        let answer = post(&api, "/token", basic, form).await.expect(200);
        assert_eq!(claims(&answer)["client_id"], ID);
        let refresh = answer.member("refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let refreshed = post(&api, "/token", basic.or(Some(ENCODED)), &form).await.expect(200);
        assert_eq!(claims(&refreshed)["client_id"], ID);
    }
    // public clients: a name without a secret, which libraries also send as HTTP Basic
    let named = with(&[("client_id", ID)]);
    for (basic, form) in [(None, &grant[..]), (None, &named), (Some("my-app:"), &grant[..]), (Some(":"), &grant[..])] {
        assert_eq!(claims(&post(&api, "/token", basic, form).await.expect(200))["client_id"], "User1", "{basic:?}");
    }
}

#[tokio::test]
async fn wrong_credentials_of_a_client_are_refused_before_those_of_the_user() {
    let server = server().await;
    let api = server.realm("User1");
    let form = [("grant_type", "password"), ("username", "a@example.com"), ("password", "wrong")];
    let posted = [&form[..], &[("client_id", "other"), ("client_secret", SECRET)]].concat();
    for (basic, form) in [(Some("reports/2:a guess"), &form[..]), (None, &posted)] {
        let answer = post(&api, "/token", basic, form).await.expect(401);
        assert_eq!(
            (answer.json()["error"].as_str(), answer.code()),
            (Some("invalid_client"), "invalid_client".to_owned())
        );
        assert!(answer.header("www-authenticate").starts_with("Basic realm=\"User1\""));
    }
    let answer = post(&api, "/token", Some(ENCODED), &posted).await.expect(400);
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn a_client_that_posts_its_secret_has_the_limit_of_clients() {
    let settings = [
        ("SERVICE_CLIENTS", &*format!("{ID}:{SECRET}@User1")),
        ("RATE_LIMITS", "on"),
        ("RATE_LIMIT_INTROSPECT", "2/min"),
        ("RATE_LIMIT_DEFAULT", "1/h"),
    ];
    let server = TestServer::start_with(&settings).await;
    let api = server.realm("User1");
    let ask = async |secret: &str| {
        post(&api, "/introspect", None, &[("token", "x"), ("client_id", ID), ("client_secret", secret)]).await
    };
    let _ = ask("a guess").await.expect(401);
    let _ = ask("a guess").await.expect(429);
    let _ = ask(SECRET).await.expect(200);
    let _ = ask(SECRET).await.expect(200);
    let _ = ask(SECRET).await.expect(429);
}

/// Keys as an operator makes them by openssl, in a ring.
#[tokio::test]
async fn a_key_file_signs_and_the_older_one_verifies_until_it_leaves_the_ring() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let file = folder.path().join(name);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        std::fs::write(&file, key.serialize_pem()).unwrap();
        file.display().to_string()
    };
    let (old, new) = (make("old.pem"), make("new.pem"));
    let mut server = TestServer::start_with(&[
        ("SIGNING", "ES256"),
        ("SIGNING_KEY_FILE", &old),
        ("PUBLIC_URL", "http://auth.example.com"),
    ])
    .await;
    let person = Person::john();
    let (john, refresh) = server.realm("User1").logged_in(&person).await;
    let kids = async |server: &TestServer| {
        let keys = server.realm("User1").get("//.well-known/jwks.json").await.expect(200).json();
        keys["keys"].as_array().unwrap().iter().map(|key| format!("{} {}", key["kid"], key["alg"])).collect::<Vec<_>>()
    };
    assert_eq!(kids(&server).await, [r#""1" "ES256""#]);
    let token = john.token.clone().unwrap();
    server.set("SIGNING_KEY_FILE", &format!("2:{new},1:{old}"));
    server.restart().await;
    assert_eq!(kids(&server).await, [r#""2" "ES256""#, r#""1" "ES256""#]);
    let _ = server.realm("User1").with_token(&token).get("/").await.expect(200);
    server.set("SIGNING_KEY_FILE", &format!("2:{new}"));
    server.restart().await;
    let api = server.realm("User1");
    let _ = api.with_token(&token).get("/").await.expect(401);
    // refresh tokens are under JWT_SECRET
    let _ = api.refresh(&refresh).await.expect(200);
}
