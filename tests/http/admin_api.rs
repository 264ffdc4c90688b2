//! The admin API: who may use it, and what it does.

use std::time::{Duration, Instant};

use portcullis_core::model::credential::Scope;
use portcullis_server::http::endpoint::{Access, Endpoint};
use portcullis_server::http::routes::admin_endpoints;
use portcullis_tests::api::token_of;
use portcullis_tests::smtp_server::{FailureMode, SmtpServer};
use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::step_up::claims;
use crate::totp::{answer, challenge, enrol, next_code};

const NOBODY: &str = "usr_00112233445566778899aabbccddeeff";

pub fn json_of(server: &TestServer, arguments: &[&str]) -> Value {
    let (code, out, error) = server.operator(&[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{arguments:?}: {out}{error}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

/// A new operator token: its id and its text.
pub fn issue(server: &TestServer, realm: &str, scopes: &[Scope]) -> (String, String) {
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope.as_str()]);
    let call: Vec<&str> = ["operator-tokens", "create", "--realm", realm].into_iter().chain(scopes).collect();
    let made = json_of(server, &call);
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

/// A client with an operator token of all scopes.
pub fn admin(server: &TestServer, realm: &str) -> Api {
    server.realm(realm).with_token(&issue(server, realm, &Scope::ALL).1)
}

fn below(realm: &str, path: &str) -> String {
    format!("//admin/v1/{realm}{path}")
}

pub fn at(path: &str) -> String {
    below("User1", path)
}

/// The scope of a row, and its path for an account.
fn row(endpoint: &Endpoint, id: &str) -> (Scope, String) {
    let Access::Admin(scope) = endpoint.access else { panic!("{} needs no operator token", endpoint.path) };
    (scope, at(&endpoint.path.replace("{id}", id)))
}

#[tokio::test]
async fn every_row_refuses_all_but_an_operator_token_of_the_realm_with_its_scope() {
    const FIXED: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-operator";
    const CLIENT: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-reports";
    let clients = format!("reports:{CLIENT}@User1");
    let server = TestServer::start_with(&[("OPERATOR_TOKEN", FIXED), ("SERVICE_CLIENTS", &clients)]).await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let user = john.token.clone().unwrap();
    let users_elsewhere = server.realm("User2").logged_in(&person).await.0.token.unwrap();
    let (elsewhere, revoked) = (issue(&server, "User2", &Scope::ALL).1, issue(&server, "User1", &Scope::ALL));
    let _ = json_of(&server, &["operator-tokens", "revoke", &revoked.0, "--realm", "User1"]);
    let unknown = format!("User1.opt_{:032x}.{}", 7, "A".repeat(43));
    let another_realms_name = elsewhere.replacen("User2", "User1", 1);
    let good = issue(&server, "User1", &Scope::ALL).1;
    for endpoint in admin_endpoints() {
        let (scope, path) = row(&endpoint, NOBODY);
        let [method] = endpoint.methods else { panic!("{path} has one method") };
        let nobody = api.send(api.request(method.clone(), &path)).await.expect(401);
        assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"User1\"", "{method} {path}");
        let basic = api.request(method.clone(), &path).basic_auth("reports", Some(CLIENT));
        let _ = api.send(basic).await.expect(401);
        let wrong = [&users_elsewhere, &elsewhere, &another_realms_name, &revoked.1, &unknown, FIXED, CLIENT, "x", &id];
        for token in wrong {
            let refused = api.with_token(token).json(method.clone(), &path, &json!({})).await.expect(401);
            assert_eq!(refused.code(), "not_authenticated", "{method} {path}");
            assert!(refused.header("www-authenticate").ends_with("error=\"invalid_token\""), "{method} {path}");
        }
        let refused = api.with_token(&user).json(method.clone(), &path, &json!({})).await.expect(403);
        assert_eq!(refused.code(), "forbidden", "{method} {path}");
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let too_small = issue(&server, "User1", &others).1;
        let refused = api.with_token(&too_small).json(method.clone(), &path, &json!({})).await.expect(403);
        let challenge = format!("error=\"insufficient_scope\", scope=\"{}\"", scope.as_str());
        assert!(refused.header("www-authenticate").ends_with(&challenge), "{method} {path}");
        assert_eq!(refused.code(), "forbidden");
        let just_enough = issue(&server, "User1", &[scope]).1;
        let other_realm = path.replace("User1", "User2");
        for token in [&just_enough, &good] {
            let client = api.with_token(token);
            // without a body, GET and DELETE are whole requests
            let answer = client.send(client.request(method.clone(), &path)).await;
            let expected: &[u16] = if endpoint.path.contains("{id}") { &[400, 404] } else { &[200, 400] };
            assert!(expected.contains(&answer.status.as_u16()), "{method} {path}: {} {}", answer.status, answer.text);
            let _ = client.json(method.clone(), &other_realm, &json!({})).await.expect(401);
        }
    }
    server.advance(Duration::from_secs(91 * 24 * 3600));
    for endpoint in admin_endpoints() {
        let (_, path) = row(&endpoint, NOBODY);
        let expired = api.with_token(&good).json(endpoint.methods[0].clone(), &path, &json!({})).await.expect(401);
        assert!(expired.header("www-authenticate").ends_with("error=\"invalid_token\""), "{path}");
    }
}

#[tokio::test]
async fn an_account_with_the_role_admin_and_a_recent_second_factor_has_every_scope() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let jane = api.verified(&Person::named("jane@example.com")).await;
    let (john, _) = api.session(&person).await;
    let (secret, _) = enrol(&server, &john).await;
    let role = |change: &str, name: &str| json_of(&server, &["users", "roles", &id, "--realm", "User1", change, name]);
    let log_in = async || {
        let token = challenge(&api, &person, json!(["totp", "backup_code"])).await;
        let pair = answer(&api, &token, &next_code(&server, &secret)).await.expect(200);
        api.with_token(&pair.member("access_token"))
    };
    let rows = admin_endpoints().into_iter().map(|endpoint| (endpoint.methods[0].clone(), row(&endpoint, NOBODY).1));
    let rows: Vec<(Method, String)> = rows.collect();
    let refused_everywhere = async |client: &Api, code: &str| {
        for (method, path) in &rows {
            let refused = client.json(method.clone(), path, &json!({})).await.expect(403);
            assert_eq!(refused.code(), code, "{method} {path}");
            if code == "reauthentication_required" {
                let challenge = refused.header("www-authenticate");
                assert!(challenge.contains("insufficient_user_authentication\", acr_values=\"aal2\""), "{challenge}");
            }
        }
    };
    let admin = log_in().await;
    refused_everywhere(&admin, "forbidden").await;
    let _ = role("--add", "administrator");
    refused_everywhere(&admin, "forbidden").await;
    let _ = role("--add", "admin");
    refused_everywhere(&john, "reauthentication_required").await;
    for (method, path) in &rows {
        let answer = admin.send(admin.request(method.clone(), path)).await;
        assert!(
            [200, 400, 404].contains(&answer.status.as_u16()),
            "{method} {path}: {} {}",
            answer.status,
            answer.text
        );
        let _ = admin.json(method.clone(), &path.replace("User1", "User2"), &json!({})).await.expect(401);
    }
    let changed = admin.json(Method::PATCH, &at(&format!("/users/{jane}")), &json!({"disabled": true})).await;
    assert_eq!(changed.expect(200).json()["disabled"], true);
    let events = admin.get(&at("/audit?kind=account_disabled")).await.expect(200).json();
    assert_eq!(events["events"][0]["operator"], json!(format!("account {id}")));
    server.advance(Duration::from_secs(15 * 60 + 1));
    refused_everywhere(&admin, "reauthentication_required").await;
    let admin = log_in().await;
    let _ = admin.get(&at("/audit")).await.expect(200);
    let _ = role("--remove", "admin");
    refused_everywhere(&admin, "forbidden").await;
}

#[tokio::test]
async fn a_token_that_may_not_give_roles_changes_no_administrator() {
    let server = TestServer::start().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let _ = enrol(&server, &john).await;
    let _ = json_of(&server, &["users", "roles", &id, "--realm", "User1", "--add", "admin"]);
    let others: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::RolesWrite).collect();
    let narrow = api.with_token(&issue(&server, "User1", &others).1);
    let account = at(&format!("/users/{id}"));
    let rows = [
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::DELETE, "/sessions"),
        (Method::POST, "/require-reset"),
        (Method::POST, "/reset-factors"),
    ];
    for (method, path) in rows {
        let body = if method == Method::PATCH { json!({"disabled": true}) } else { json!({}) };
        let refused = narrow.json(method.clone(), &format!("{account}{path}"), &body).await.expect(403);
        assert!(refused.text.contains("roles:write"), "{method} {path}: {}", refused.text);
    }
    let _ = narrow.get(&account).await.expect(200);
    let every = admin(&server, "User1");
    let _ = every.post(&format!("{account}/reset-factors"), &json!({})).await.expect(200);
    assert_eq!(every.get(&account).await.expect(200).json()["roles"], json!([]), "the role goes with the last factor");
    let _ = narrow.json(Method::DELETE, &format!("{account}/sessions"), &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_token_that_is_revoked_while_the_body_arrives_changes_nothing() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    let (token, secret) = issue(&server, "User1", &Scope::ALL);
    let body = r#"{"disabled":true}"#;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "PATCH /admin/v1/User1/users/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        body.len(),
        &body[..body.len() - 1]
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // the server has the head by then: it has answered a later request
    let _ = admin(&server, "User1").get(&at(&format!("/users/{id}"))).await.expect(200);
    let _ = json_of(&server, &["operator-tokens", "revoke", &token, "--realm", "User1"]);
    slow.write_all(&body.as_bytes()[body.len() - 1..]).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let account = admin(&server, "User1").get(&at(&format!("/users/{id}"))).await.expect(200);
    assert_eq!(account.json()["disabled"], false);
}

#[tokio::test]
async fn an_account_is_found_by_address_or_id_without_a_field_of_its_owner() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let person = Person::john();
    let id = api.verified(&person).await;
    let _ = server.realm("User2").verified(&Person::named("jane@example.com")).await;
    let _ = api.session(&person).await;
    let search = async |body: Value| admin.post(&at("/users/search"), &body).await;
    for body in [json!({"email": "JOHN.doe@example.com"}), json!({"id": id})] {
        let found = search(body).await.expect(200);
        let users = found.json()["users"].clone();
        assert_eq!(
            (users.as_array().unwrap().len(), &users[0]["id"], &users[0]["sessions"]),
            (1, &json!(id), &json!(1))
        );
        for field in ["John", "Doe", "example", "123456"] {
            assert!(!found.text.contains(field), "{}", found.text);
        }
        // the state is what the command line shows
        let by_command = json_of(&server, &["users", "find", &id, "--realm", "User1"]);
        assert_eq!(users, by_command);
    }
    for body in [json!({"email": "jane@example.com"}), json!({"email": "john"}), json!({"id": NOBODY})] {
        assert_eq!(search(body).await.expect(200).json(), json!({"users": []}));
    }
    let both = json!({"email": person.email, "id": id});
    for body in [both, json!({}), json!({"id": person.email}), json!({"email": id}), json!({"phone": "+1234567890"})] {
        let _ = search(body).await.expect(422);
    }
    let in_the_url = at(&format!("/users/search?email={}", person.email));
    let _ = admin.post(&in_the_url, &json!({"id": id})).await.expect(422);
    let shown = admin.get(&at(&format!("/users/{id}"))).await.expect(200);
    assert!(!shown.header("etag").is_empty() && !shown.text.contains("example"), "{}", shown.text);
    for other in [NOBODY, &person.email, "x"] {
        let _ = admin.get(&at(&format!("/users/{other}"))).await.expect(404);
    }
}

#[tokio::test]
async fn a_disabled_account_has_no_session_until_it_is_enabled_and_logs_in() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let person = Person::john();
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let path = at(&format!("/users/{id}"));
    let old = admin.get(&path).await.expect(200).header("etag");
    let change = async |disabled: bool, tag: &str| {
        let request = admin.request(Method::PATCH, &path).header("if-match", tag);
        admin.send(request.json(&json!({"disabled": disabled, "reason": "ticket 7"}))).await
    };
    let disabled = change(true, &old).await.expect(200);
    assert_eq!((&disabled.json()["disabled"], &disabled.json()["sessions"]), (&json!(true), &json!(0)));
    let _ = john.get("/").await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(401);
    for wanted in [true, false] {
        assert_eq!(change(wanted, &old).await.expect(412).code(), "precondition_failed");
    }
    let enabled = change(false, &disabled.header("etag")).await.expect(200);
    assert_eq!(enabled.json()["disabled"], false);
    let _ = john.get("/").await.expect(401);
    let (again, _) = api.session(&person).await;
    let _ = again.get("/").await.expect(200);
    for body in [json!({}), json!({"disabled": "yes"}), json!({"disabled": true, "email": "x@example.com"})] {
        let _ = admin.json(Method::PATCH, &path, &body).await.expect(422);
    }
    let _ = again.get("/").await.expect(200);
    let _ = admin.json(Method::PATCH, &at(&format!("/users/{NOBODY}")), &json!({"disabled": true})).await.expect(404);
    let events = json_of(&server, &["audit", "list", "--realm", "User1", "--user", &id, "--kind", "account_disabled"]);
    let operator = events["events"][0]["operator"].as_str().unwrap();
    assert!(operator.starts_with("operator token opt_") && events["events"][0]["reason"] == "ticket 7", "{events}");
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "a refused change is no event: {events}");
}

#[tokio::test]
async fn roles_are_set_as_a_whole_and_are_in_the_next_token() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let id = api.verified(&Person::john()).await;
    let (john, refresh) = api.session(&Person::john()).await;
    let path = at(&format!("/users/{id}/roles"));
    let set = async |roles: Value| admin.json(Method::PUT, &path, &json!({"roles": roles})).await;
    let first = set(json!(["support", "auditor", "auditor"])).await.expect(200);
    assert_eq!(first.json()["roles"], json!(["auditor", "support"]));
    let _ = john.get("/").await.expect(200);
    let refreshed = api.refresh(&refresh).await.expect(200).member("access_token");
    assert_eq!(claims(&refreshed)["roles"], json!(["auditor", "support"]));
    assert_eq!(
        set(json!(["admin"])).await.expect(409).code(),
        "mfa_off",
        "the password alone would open the admin API"
    );
    let many: Vec<String> = (0..33).map(|n| format!("role-{n}")).collect();
    for wrong in [json!(null), json!("admin"), json!([1]), json!(["two words"]), json!([""]), json!(many)] {
        let refused = set(wrong).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["field"], "roles");
    }
    let request = admin.request(Method::PUT, &path).header("if-match", "\"another\"").json(&json!({"roles": []}));
    let _ = admin.send(request).await.expect(412);
    assert_eq!(admin.get(&at(&format!("/users/{id}"))).await.json()["roles"], json!(["auditor", "support"]));
    let request = admin.request(Method::PUT, &path).header("if-match", first.header("etag"));
    let emptied = admin.send(request.json(&json!({"roles": [], "reason": "left the team"}))).await.expect(200);
    assert_eq!(emptied.json()["roles"], json!([]));
    let _ = admin.json(Method::PUT, &at(&format!("/users/{NOBODY}/roles")), &json!({"roles": []})).await.expect(404);
}

#[tokio::test]
async fn a_persons_fields_are_read_for_a_reason_that_the_audit_log_keeps() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let person = Person::john();
    let id = api.verified(&person).await;
    let _ = api.session(&person).await;
    let path = at(&format!("/users/{id}/profile"));
    let reads = || {
        let events = json_of(&server, &["audit", "list", "--realm", "User1", "--kind", "account_read"]);
        events["events"].as_array().unwrap().clone()
    };
    for wrong in [json!({}), json!({"reason": " "}), json!({"reason": "two\nlines"}), json!({"reason": 7})] {
        let refused = admin.post(&path, &wrong).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["field"], "reason");
    }
    let reason = json!({"reason": "ticket 4711"});
    let _ = admin.post(&at(&format!("/users/{NOBODY}/profile")), &reason).await.expect(404);
    assert!(reads().is_empty(), "nothing was read");
    let shown = admin.post(&path, &reason).await.expect(200).json();
    assert_eq!((&shown["profile"]["email"], &shown["account"]["id"]), (&json!(person.email), &json!(id)));
    assert_eq!(shown["sessions"].as_array().map(Vec::len), Some(1));
    let reads = reads();
    assert_eq!((reads.len(), &reads[0]["user"], &reads[0]["reason"]), (1, &json!(id), &json!("ticket 4711")));
    assert!(reads[0]["operator"].as_str().unwrap().starts_with("operator token opt_"), "{reads:?}");
}

#[tokio::test]
async fn ended_sessions_are_told_to_their_owner() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let person = Person::john();
    let id = api.verified(&person).await;
    let (one, two) = (api.session(&person).await.0, api.session(&person).await.0);
    let path = at(&format!("/users/{id}/sessions"));
    assert_eq!(admin.delete(&path).await.expect(200).json(), json!({"sessions_ended": 2}));
    for session in [one, two] {
        let _ = session.get("/").await.expect(401);
    }
    let _ = api.mail("operator_acted", &person.email).await;
    let with_reason = admin.json(Method::DELETE, &path, &json!({"reason": "ticket 8"})).await.expect(200);
    assert_eq!(with_reason.json(), json!({"sessions_ended": 0}));
    let _ = admin.delete(&at(&format!("/users/{NOBODY}/sessions"))).await.expect(404);
}

#[tokio::test]
async fn lost_factors_a_lost_password_and_an_unwanted_account_are_told_to_their_owner() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let person = Person::john();
    let id = api.verified(&person).await;
    let (john, _) = api.session(&person).await;
    let path = at(&format!("/users/{id}"));
    let reason = json!({"reason": "ticket 10"});
    let none = admin.post(&format!("{path}/reset-factors"), &reason).await.expect(409);
    assert_eq!(none.code(), "mfa_off");
    let _ = enrol(&server, &john).await;
    let reset = admin.post(&format!("{path}/reset-factors"), &reason).await.expect(200);
    assert_eq!(reset.json(), json!({"sessions_ended": 1}));
    let _ = api.mail("factors_reset", &person.email).await;
    let (john, _) = api.session(&person).await;

    let required = admin.post(&format!("{path}/require-reset"), &reason).await.expect(200);
    assert_eq!(required.json(), json!({"sessions_ended": 1}));
    let _ = john.get("/").await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(401);
    let link = token_of(&api.mail("reset_required", &person.email).await);
    let new = "harbour-tulip-42-Window";
    let _ = api.post("/reset_password", &json!({"token": link, "password": new})).await.expect(200);
    let (john, _) = api.session(&Person { password: new.to_owned(), ..person.clone() }).await;

    for wrong in [json!({"reason": ""}), json!({"force": true})] {
        let _ = admin.json(Method::DELETE, &path, &wrong).await.expect(422);
    }
    let _ = john.get("/").await.expect(200);
    let _ = admin.json(Method::DELETE, &path, &reason).await.expect(200);
    let _ = john.get("/").await.expect(401);
    let _ = api.mail("account_deleted", &person.email).await;
    let _ = admin.delete(&path).await.expect(404);
    let _ = admin.get(&path).await.expect(404);
    let kinds = "factors_reset,reset_required,account_deleted";
    let events = admin.get(&at(&format!("/audit?user={id}&kind={kinds}"))).await.expect(200).json();
    let events = events["events"].as_array().unwrap();
    assert!(events.len() == 3 && events.iter().all(|event| event["reason"] == "ticket 10"), "{events:?}");
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let server = TestServer::start().await;
    let (api, admin) = (server.realm("User1"), admin(&server, "User1"));
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let id = api.verified(&john).await;
    let _ = api.verified(&jane).await;
    let _ = server.realm("User2").verified(&Person::named("max@example.com")).await;
    for _ in 0..4 {
        let _ = api.session(&john).await;
        let _ = api.login(&john.email, "wrong").await.expect(401);
    }
    let list = async |query: &str| admin.get(&at(&format!("/audit{query}"))).await.expect(200).json();
    let of_john = format!("?user={id}&kind=logged_in");
    let whole = list(&of_john).await;
    let all = whole["events"].as_array().unwrap();
    assert!(all.len() == 4 && whole["next"].is_null() && all.iter().all(|event| event["user"] == json!(id)), "{whole}");
    let (mut paged, mut query) = (Vec::new(), format!("{of_john}&limit=2"));
    loop {
        let page = list(&query).await;
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 2);
        paged.extend(events.clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("{of_john}&limit=2&before={next}");
    }
    assert_eq!(&paged, all);
    let logins = list("?kind=logged_in,login_failed").await;
    let names: Vec<&str> =
        logins["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(names.contains(&"logged_in") && names.contains(&"login_failed") && names.len() == 8, "{names:?}");
    assert_eq!(list("?until=2000-01-01T00:00:00Z").await["events"], json!([]));
    assert_eq!(list("?since=2200-01-01T00:00:00Z").await["events"], json!([]));
    let everything = list("?limit=1000").await;
    assert!(everything["events"].as_array().unwrap().iter().all(|event| event["realm"] == "User1"));
    for (name, values) in [
        ("user", &["x", "john.doe@example.com"][..]),
        ("kind", &["x", "logged_in,x", ""]),
        ("since", &["yesterday"]),
        ("until", &["1"]),
        ("before", &["x"]),
        ("limit", &["0", "1001", "x"]),
        ("reason", &[""]),
    ] {
        for value in values {
            let refused = admin.get(&at(&format!("/audit?{name}={value}"))).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["field"], name);
        }
    }
    let unknown = admin.get(&at("/audit?why=x")).await.expect(422);
    assert_eq!(unknown.json()["errors"][0]["code"], "unknown_field");
}

#[tokio::test]
async fn a_dead_letter_is_listed_in_its_realm_and_sent_again() {
    let smtp = SmtpServer::start(false).await;
    smtp.be(FailureMode::Refusing);
    let port = smtp.address.port().to_string();
    let mail = [
        ("MAIL_SERVER", "127.0.0.1"),
        ("MAIL_PORT", port.as_str()),
        ("MAIL_STARTTLS", "false"),
        ("MAIL_SSL_TLS", "false"),
        ("USE_CREDENTIALS", "false"),
        ("MAIL_FROM", "auth@example.com"),
    ];
    let server = TestServer::start_with(&mail).await;
    let (here, there) = (admin(&server, "User1"), admin(&server, "User2"));
    let person = Person::john();
    let _ = here.post("/create", &person.form).await.expect(201);
    let began = Instant::now();
    let letter = loop {
        let found = here.get(&at("/dead-letters")).await.expect(200).json();
        if let Some(letter) = found["dead_letters"].as_array().unwrap().first() {
            break letter.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the mail is no dead letter");
        tokio::task::yield_now().await;
    };
    assert_eq!((&letter["realm"], letter["attempts"].as_u64()), (&json!("User1"), Some(1)));
    assert!(!letter.to_string().contains("example"), "{letter}");
    let there_path = below("User2", "/dead-letters");
    assert_eq!(there.get(&there_path).await.expect(200).json(), json!({"dead_letters": []}));
    let id = letter["id"].as_str().unwrap();
    let retry = |path: String| format!("{path}/{id}/retry");
    let _ = there.post(&retry(there_path), &json!({})).await.expect(404);
    let _ = here.post(&at("/dead-letters/x/retry"), &json!({})).await.expect(404);
    let _ = here.get(&at("/dead-letters?limit=0")).await.expect(422);
    smtp.be(FailureMode::default());
    let _ = here.post(&retry(at("/dead-letters")), &json!({"reason": "ticket 9"})).await.expect(202);
    while smtp.taken().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "the mail was not sent again");
        tokio::task::yield_now().await;
    }
    let _ = here.post(&retry(at("/dead-letters")), &json!({})).await.expect(404);
    let events = here.get(&at("/audit?kind=message_requeued")).await.expect(200).json();
    assert_eq!(events["events"][0]["reason"], "ticket 9");
}

#[tokio::test]
async fn an_operator_token_has_a_limit_of_its_own_and_guesses_that_of_their_address() {
    let server =
        TestServer::start_with(&[("RATE_LIMITS", "on"), ("RATE_LIMIT_ADMIN", "2/min"), ("RATE_LIMIT_DEFAULT", "1/h")])
            .await;
    let (one, two) = (admin(&server, "User1"), admin(&server, "User1"));
    let path = at("/audit");
    let guess = one.with_token("a guess");
    let _ = guess.get(&path).await.expect(401);
    let _ = guess.get(&path).await.expect(429);
    for token in [&one, &two] {
        let _ = token.get(&path).await.expect(200);
        let _ = token.get(&path).await.expect(200);
        let _ = token.get(&path).await.expect(429);
    }
    let events = json_of(&server, &["audit", "list", "--realm", "User1", "--kind", "token_refused"]);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1));
}
