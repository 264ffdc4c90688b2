//! Webhooks over HTTP and by the command line: what a receiver gets, and what operators do.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::model::credential::{Scope, Scopes};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::EventKinds;
use portcullis_tests::webhook_receiver::{Received, WebhookReceiver};
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

const LOCAL: [(&str, &str); 2] = [("WEBHOOK_ALLOW", "127.0.0.0/8"), ("WEBHOOK_PLAIN_HTTP", "true")];
const DAY: Duration = Duration::from_hours(24);
const NOW: Duration = Duration::ZERO;

async fn server() -> TestServer {
    TestServer::start_with(&LOCAL).await
}

/// A client with an operator token for webhooks and the audit log.
async fn operator(server: &TestServer, realm: &str) -> Api {
    let service = server.service();
    let scopes = Scopes::of(&[Scope::Webhooks, Scope::AuditRead]);
    let made = service.operators().create_operator_token(&Realm::parse(realm).unwrap(), scopes, DAY * 300).await;
    server.realm(realm).with_token(made.unwrap().secret.expose())
}

fn at(path: &str) -> String {
    format!("//admin/v1/User1{path}")
}

/// A webhook for some events: its id and its secret.
async fn create(operator: &Api, receiver: &WebhookReceiver, events: &[&str]) -> (String, String) {
    let made = operator.post(&at("/webhooks"), &json!({"url": receiver.url(), "events": events})).await.expect(201);
    (made.json()["webhook"]["id"].as_str().unwrap().to_owned(), made.member("secret"))
}

/// The reference library signs the request in the same way. Its clock is not the test's, so `verify` is for `tests/outside`.
fn assert_signed(received: &Received, secrets: &[&str]) {
    let (id, at) = (received.header("webhook-id"), received.header("webhook-timestamp").parse().unwrap());
    let sign = |secret: &&str| Webhook::new(secret).unwrap().sign(id, at, received.body.as_bytes()).unwrap();
    let expected: Vec<String> = secrets.iter().map(sign).collect();
    assert_eq!(received.header("webhook-signature"), expected.join(" "));
}

async fn deliveries(operator: &Api, id: &str) -> Vec<Value> {
    let listed = operator.get(&at(&format!("/webhooks/{id}/deliveries"))).await.expect(200).json();
    listed["deliveries"].as_array().unwrap().clone()
}

/// The deliveries, once they are as wanted.
async fn until(operator: &Api, id: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let reached = async {
        loop {
            let listed = deliveries(operator, id).await;
            if wanted(&listed) {
                return listed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached).await.expect("within ten seconds")
}

#[tokio::test]
async fn a_receiver_gets_signed_messages_of_its_realm_that_name_nobody() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let (operator, person) = (operator(&server, "User1").await, Person::john());
    let (id, secret) = create(&operator, &receiver, &["logged_in", "account_deleted"]).await;
    assert!(id.starts_with("whk_") && secret.starts_with("whsec_"));
    let _ = server.realm("User2").logged_in(&person).await;
    let api = server.realm("User1");
    let user = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let [login] = receiver.wait_for(1).await.try_into().unwrap();
    let session = john.get("/sessions").await.expect(200).json()["sessions"][0]["id"].clone();
    let expected = json!({
        "type": "logged_in",
        "timestamp": "2027-01-01T12:00:00.000Z",
        "data": {"realm": "User1", "user": user, "session": session},
    });
    assert_eq!(login.json(), expected);
    assert_signed(&login, &[&secret]);
    assert_eq!(login.header("content-type"), "application/json");
    assert!(login.header("webhook-id").starts_with("job_"));
    let _ = john.json(Method::DELETE, "/delete", &json!({"password": person.password})).await.expect(200);
    let deleted = receiver.wait_for(2).await.pop().unwrap();
    assert_eq!((&deleted.json()["type"], &deleted.json()["data"]["user"]), (&json!("account_deleted"), &json!(user)));
    assert_ne!(deleted.header("webhook-id"), login.header("webhook-id"));
    assert_eq!(until(&operator, &id, <[Value]>::is_empty).await, [json!(null); 0]);
    server.metric("portcullis_messages_total{channel=\"webhook\",outcome=\"sent\"}", 2).await;
}

#[tokio::test]
async fn an_event_that_belongs_to_no_change_arrives_too() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let operator = operator(&server, "User1").await;
    let _ = create(&operator, &receiver, &["login_failed"]).await;
    let _ = server.realm("User1").login("nobody@example.com", "wrong password").await.expect(401);
    let [failed] = receiver.wait_for(1).await.try_into().unwrap();
    assert_eq!(failed.json()["data"], json!({"realm": "User1", "user": null, "session": null}));
}

#[tokio::test]
async fn a_message_is_tried_again_with_its_id_also_by_the_next_process() {
    let (mut server, receiver) = (server().await, WebhookReceiver::start().await);
    receiver.answer(500, &[], NOW);
    let client = operator(&server, "User1").await;
    let (id, secret) = create(&client, &receiver, &["registered"]).await;
    let token = client.token.clone().unwrap();
    let _ = server.realm("User1").post("/create", &Person::john().form).await.expect(201);
    let first = receiver.wait_for(1).await.pop().unwrap();
    let waiting =
        until(&client, &id, |all| all.iter().any(|one| one["due_at"] != json!("2027-01-01T12:02:00.000Z"))).await;
    let [waiting] = waiting.try_into().unwrap();
    assert_eq!((&waiting["attempts"], &waiting["event"]), (&json!(1), &json!("registered")));
    assert_eq!((&waiting["failed_at"], &waiting["reason"]), (&Value::Null, &Value::Null));
    assert_eq!(waiting["id"], first.header("webhook-id"));
    server.restart().await;
    receiver.answer(302, &[("location", "http://127.0.0.1:1/")], NOW);
    server.advance(Duration::from_secs(5));
    let second = receiver.wait_for(2).await.pop().unwrap();
    assert_eq!((second.header("webhook-id"), &second.body), (first.header("webhook-id"), &first.body));
    assert_ne!(second.header("webhook-timestamp"), first.header("webhook-timestamp"));
    assert_signed(&second, &[&secret]);
    let client = server.realm("User1").with_token(&token);
    let _ = until(&client, &id, |all| all[0]["attempts"] == 2).await;
    receiver.answer(200, &[], NOW);
    server.advance(Duration::from_mins(5));
    let _ = receiver.wait_for(3).await;
    let _ = until(&client, &id, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_until_an_operator_enables_it() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let operator = operator(&server, "User1").await;
    let (id, _) = create(&operator, &receiver, &["*"]).await;
    receiver.answer(410, &[], NOW);
    let test = operator.post(&at(&format!("/webhooks/{id}/test")), &json!({"reason": "a try"})).await.expect(202);
    let [message] = receiver.wait_for(1).await.try_into().unwrap();
    assert_eq!(
        (message.header("webhook-id"), &message.json()["type"]),
        (&*test.member("delivery"), &json!("webhook_tested"))
    );
    let _ = until(&operator, &id, <[Value]>::is_empty).await;
    let path = at(&format!("/webhooks/{id}"));
    assert_eq!(operator.get(&path).await.expect(200).json()["disabled"], true);
    let _ = operator.post(&format!("{path}/test"), &json!({})).await.expect(404);
    let _ = server.realm("User1").logged_in(&Person::john()).await;
    assert_eq!(deliveries(&operator, &id).await, [json!(null); 0]);
    receiver.answer(200, &[], NOW);
    let enabled = operator.json(Method::PATCH, &path, &json!({"disabled": false})).await.expect(200);
    assert_eq!(enabled.json()["disabled"], false);
    let _ = operator.post(&format!("{path}/test"), &json!({})).await.expect(202);
    let all = receiver.wait_for(2).await;
    assert_eq!(all[1].json()["type"], "webhook_tested");
    let log = operator.get(&at("/audit?kind=webhook_created,webhook_changed,webhook_tested,webhook_disabled")).await;
    let kinds: Vec<Value> =
        log.expect(200).json()["events"].as_array().unwrap().iter().map(|one| one["event"].clone()).collect();
    let expected = ["webhook_tested", "webhook_changed", "webhook_disabled", "webhook_tested", "webhook_created"];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let operator = operator(&server, "User1").await;
    let (id, old) = create(&operator, &receiver, &["logged_in"]).await;
    let path = at(&format!("/webhooks/{id}"));
    let rotated = operator.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    let new = rotated.member("secret");
    assert_eq!(rotated.json()["webhook"]["old_secret_until"], "2027-01-02T12:00:00.000Z");
    assert!(!operator.get(&path).await.expect(200).text.contains("whsec_"));
    let _ = operator.post(&format!("{path}/test"), &json!({})).await.expect(202);
    assert_signed(&receiver.wait_for(1).await[0], &[&new, &old]);
    server.advance(DAY);
    let _ = operator.post(&format!("{path}/test"), &json!({})).await.expect(202);
    assert_signed(&receiver.wait_for(2).await[1], &[&new]);
    let kept = server.everything_kept().await;
    assert!(is_in(&kept, id.trim_start_matches("whk_").as_bytes()), "the search finds what is there");
    for secret in [&old, &new] {
        let text = secret.trim_start_matches("whsec_");
        let raw = STANDARD.decode(text).unwrap();
        assert!(![text.as_bytes(), &raw].iter().any(|form| is_in(&kept, form)), "a secret is readable");
    }
}

/// Whether a file of the folder has these bytes.
fn is_in(folder: &Path, wanted: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
}

#[tokio::test]
async fn a_failed_message_is_a_dead_letter_that_an_operator_sends_again() {
    let (mut server, receiver) = (server().await, WebhookReceiver::start().await);
    let client = operator(&server, "User1").await;
    let token = client.token.clone().unwrap();
    let (id, _) = create(&client, &receiver, &["registered"]).await;
    // the operator forbids the receiver's network
    server.stop().await;
    server.set("WEBHOOK_ALLOW", "");
    server.boot().await;
    let _ = server.realm("User1").post("/create", &Person::john().form).await.expect(201);
    let client = server.realm("User1").with_token(&token);
    let [dead] =
        until(&client, &id, |all| all.iter().any(|one| one["failed_at"] != Value::Null)).await.try_into().unwrap();
    let reason = "the URL its address is neither public nor in WEBHOOK_ALLOW";
    assert_eq!((&dead["reason"], &dead["due_at"]), (&json!(reason), &Value::Null));
    assert_eq!(receiver.received().len(), 0);
    server.stop().await;
    server.set("WEBHOOK_ALLOW", "127.0.0.0/8");
    server.boot().await;
    let client = server.realm("User1").with_token(&token);
    let replay = at(&format!("/webhooks/{id}/replay"));
    for unknown in ["job_00112233445566778899aabbccddeeff", "x"] {
        let _ = client.post(&replay, &json!({"delivery": unknown})).await.expect(404);
    }
    let again = client.post(&replay, &json!({"delivery": dead["id"], "reason": "it is repaired"})).await.expect(202);
    assert_eq!(again.json(), json!({"replayed": 1}));
    let [message] = receiver.wait_for(1).await.try_into().unwrap();
    assert_eq!(message.header("webhook-id"), dead["id"]);
    assert_eq!(client.post(&replay, &json!({})).await.expect(202).json(), json!({"replayed": 0}));
    let log = client.get(&at("/audit?kind=webhook_failed,message_requeued")).await.expect(200).json();
    assert_eq!(
        (&log["events"][0]["event"], &log["events"][0]["reason"]),
        (&json!("message_requeued"), &json!("it is repaired"))
    );
    assert_eq!(log["events"][1]["event"], "webhook_failed");
}

#[tokio::test]
async fn a_webhook_is_shown_changed_and_deleted_by_its_realm() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let (client, elsewhere) = (operator(&server, "User1").await, operator(&server, "User2").await);
    let (id, _) = create(&client, &receiver, &["logged_in"]).await;
    let path = at(&format!("/webhooks/{id}"));
    let _ = elsewhere.get(&path.replace("User1", "User2")).await.expect(404);
    let shown = client.get(&path).await.expect(200);
    assert_eq!(client.get(&at("/webhooks")).await.expect(200).json(), json!({"webhooks": [shown.json()]}));
    let change = async |tag: &str, body: &Value| {
        client.send(client.request(Method::PATCH, &path).header("If-Match", tag).json(body)).await
    };
    let tag = shown.header("etag");
    let changed = change(&tag, &json!({"events": ["*"], "url": "https://receiver.example/"})).await.expect(200);
    assert_eq!(
        (&changed.json()["events"], &changed.json()["url"]),
        (&json!(["*"]), &json!("https://receiver.example/"))
    );
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(change(&tag, &json!({"disabled": true})).await.expect(412).code(), "precondition_failed");
    let delete = client.request(Method::DELETE, &path).header("If-Match", &tag);
    assert_eq!(client.send(delete).await.expect(412).code(), "precondition_failed");
    let _ = change(&changed.header("etag"), &json!({"disabled": true})).await.expect(200);
    let _ = client.delete(&path).await.expect(204);
    let _ = client.get(&path).await.expect(404);
    assert_eq!(client.get(&at("/webhooks")).await.expect(200).json(), json!({"webhooks": []}));
}

#[tokio::test]
async fn a_webhook_has_a_public_url_and_known_events_and_a_realm_has_twenty() {
    let server = TestServer::start().await;
    let client = operator(&server, "User1").await;
    let refused = async |body: Value| {
        let answer = client.post(&at("/webhooks"), &body).await.expect(422).json();
        let errors = answer["errors"].as_array().unwrap().iter();
        errors.map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for url in ["http://receiver.example/", "https://127.0.0.1/", "https://localhost/", "https://a:b@receiver.example/"]
    {
        assert_eq!(refused(json!({"url": url, "events": ["*"]})).await, ["url"], "{url}");
    }
    assert_eq!(refused(json!({"url": "https://receiver.example/", "events": ["login"]})).await, ["events"]);
    assert_eq!(refused(json!({})).await, ["url", "events", "events"]);
    assert_eq!(refused(json!({"url": "https://receiver.example/", "events": ["*"], "secret": "x"})).await, ["secret"]);
    let realm = Realm::parse("User1").unwrap();
    for _ in 0..20 {
        let made = server.service();
        let made =
            made.operators().create_webhook(&realm, "https://receiver.example/", EventKinds::from_text("*")).await;
        assert!(made.is_ok());
    }
    assert_eq!(refused(json!({"url": "https://receiver.example/", "events": ["*"]})).await, ["url"]);
}

#[tokio::test]
async fn the_command_line_manages_webhooks_beside_a_running_server() {
    let (server, receiver) = (server().await, WebhookReceiver::start().await);
    let call =
        |arguments: &[&str]| server.operator(&[&["webhooks"], arguments, &["--realm", "User1", "--json"]].concat());
    let json_of = |arguments: &[&str]| -> Value {
        let (code, out, error) = call(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}{error}");
        serde_json::from_str(&out).unwrap()
    };
    let url = receiver.url();
    let would = json_of(&["create", "--url", &url, "--event", "*", "--dry-run"]);
    assert_eq!(would["dry_run"], true);
    assert_eq!(json_of(&["list"]), json!([]));
    let made = json_of(&["create", "--url", &url, "--event", "logged_in,logged_out", "--reason", "ticket 4711"]);
    let id = made["webhook"]["id"].as_str().unwrap();
    assert_eq!(json_of(&["list"]), json!([made["webhook"]]));
    let sent = json_of(&["test", id]);
    let [message] = receiver.wait_for(1).await.try_into().unwrap();
    assert_eq!(message.header("webhook-id"), sent["delivery"]);
    assert_signed(&message, &[made["secret"].as_str().unwrap()]);
    let changed = json_of(&["change", id, "--disable", "--event", "account_deleted"]);
    assert_eq!((&changed["disabled"], &changed["events"]), (&json!(true), &json!(["account_deleted"])));
    assert_eq!(json_of(&["change", id, "--enable"])["disabled"], false);
    let rotated = json_of(&["rotate", id]);
    assert_ne!(rotated["secret"], made["secret"]);
    // the message may still be on the list: the server completes it beside these commands
    assert!(json_of(&["deliveries", id]).is_array());
    assert_eq!(json_of(&["replay", id]), json!({"replayed": 0}));
    assert_eq!(json_of(&["delete", id])["deleted"], true);
    for unknown in [&["delete", id][..], &["rotate", id], &["test", id], &["deliveries", id], &["replay", id]] {
        assert_eq!(call(unknown).0, 3, "{unknown:?}");
    }
    assert_eq!(call(&["create", "--url", "https://10.0.0.1/", "--event", "*"]).0, 1);
    assert_eq!(call(&["create", "--url", &url, "--event", "nothing"]).0, 1);
    assert_eq!(call(&["create", "--url", &url]).0, 2);
    assert_eq!(call(&["delete", "usr_1"]).0, 2);
}
