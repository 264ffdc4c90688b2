//! Roles: the command line gives them to an account and takes them back, beside the running server.

use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

use crate::step_up::claims;

const SECRET: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-reports";

/// The server with a service client that introspects.
async fn server() -> TestServer {
    TestServer::start_with(&[("SERVICE_CLIENTS", &format!("reports:{SECRET}@User1"))]).await
}

async fn introspected(api: &Api, token: &str) -> Value {
    let request = api.request(Method::POST, "/introspect").basic_auth("reports", Some(SECRET));
    api.send(request.form(&[("token", token)])).await.expect(200).json()
}

/// Calls `users roles` and returns the roles that it answers with.
fn change(server: &TestServer, who: &str, arguments: &[&str]) -> Value {
    let call = ["users", "roles", who, "--realm", "User1", "--json"];
    let (code, out, error) = server.operator(&[&call, arguments].concat());
    assert_eq!(code, 0, "{arguments:?}: {out}{error}");
    let shown: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"));
    shown["roles"].clone()
}

#[tokio::test]
async fn a_change_of_roles_has_effect_with_the_next_request_and_is_in_newer_tokens() {
    let server = server().await;
    let (api, person) = (server.realm("User1"), Person::john());
    let (john, refresh) = api.logged_in(&person).await;
    let old = john.token.clone().unwrap();
    assert_eq!(claims(&old).get("roles"), None);
    assert_eq!(introspected(&api, &old).await.get("roles"), None);
    let given = change(&server, &person.email, &["--add", "support", "--add", "billing:read", "--reason", "ticket 7"]);
    assert_eq!(given, json!(["billing:read", "support"]));

    // the session stays, its token shows the roles of its issue, and introspection those of now
    let _ = john.get("/").await.expect(200);
    assert_eq!(introspected(&api, &old).await["roles"], given);
    let refreshed = api.refresh(&refresh).await.expect(200).member("access_token");
    assert_eq!(claims(&refreshed)["roles"], given);
    let stepped_up = john.post("/step_up", &json!({"password": person.password})).await.expect(200);
    assert_eq!(claims(&stepped_up.member("access_token"))["roles"], given);
    let (newer, _) = api.session(&person).await;
    assert_eq!(claims(newer.token.as_deref().unwrap())["roles"], given);
    assert_eq!(newer.get("/export").await.expect(200).json()["roles"], given);

    let left = change(&server, &person.email, &["--remove", "support"]);
    assert_eq!(left, json!(["billing:read"]));
    assert_eq!(introspected(&api, &refreshed).await["roles"], left);
    assert_eq!(change(&server, &person.email, &["--remove", "billing:read"]), json!([]));
    assert_eq!(introspected(&api, &refreshed).await.get("roles"), None);
    let (code, out, _) = server.operator(&["audit", "list", "--realm", "User1", "--kind", "roles_changed", "--json"]);
    let events: Value = serde_json::from_str(&out).unwrap();
    let events = events["events"].as_array().unwrap();
    let reasons = events.iter().filter(|event| event["reason"] == "ticket 7").count();
    assert_eq!((code, events.len(), reasons), (0, 3, 1));
}

#[tokio::test]
async fn roles_are_of_one_account_in_one_realm() {
    let server = server().await;
    let (here, there) = (server.realm("User1"), server.realm("User2"));
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let (id, _) = (here.verified(&john).await, here.verified(&jane).await);
    let _ = there.verified(&john).await;
    assert_eq!(change(&server, &id, &["--add", "auditor"]), json!(["auditor"]));
    for (api, person) in [(&here, &jane), (&there, &john)] {
        let (other, _) = api.session(person).await;
        assert_eq!(claims(other.token.as_deref().unwrap()).get("roles"), None);
    }
    // an account can't give itself roles
    let (john, _) = here.session(&john).await;
    let refused = john.json(Method::PATCH, "/update", &json!({"roles": ["admin"]})).await.expect(422);
    assert_eq!(refused.json()["errors"][0]["code"], "unknown_field");
}

#[tokio::test]
async fn the_command_shows_plans_and_refuses() {
    let server = server().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    assert_eq!(change(&server, &id, &[]), json!([]));
    assert_eq!(change(&server, &id, &["--add", "a", "--dry-run"]), json!(["a"]));
    assert_eq!(change(&server, &id, &[]), json!([]), "a plan changes nothing");
    let many: Vec<String> = (0..32).map(|n| format!("role-{n}")).collect();
    let add: Vec<&str> = many.iter().flat_map(|role| ["--add", role.as_str()]).collect();
    assert_eq!(change(&server, &id, &add).as_array().map(Vec::len), Some(32));
    let call = ["users", "roles", &id, "--realm", "User1"];
    for dry_run in [&[][..], &["--dry-run"]] {
        let (code, _, error) = server.operator(&[&call[..], &["--add", "one-more"], dry_run].concat());
        assert!(code == 1 && error.contains("at most 32 roles"), "{error}");
    }
    assert_eq!(change(&server, &id, &["--add", "one-more", "--remove", "role-0"]).as_array().map(Vec::len), Some(32));
    for wrong in ["", "two words", "a,b", ":a"] {
        assert_eq!(server.operator(&[&call[..], &["--add", wrong]].concat()).0, 2, "{wrong}");
    }
    assert_eq!(server.operator(&["users", "roles", &id, "--realm", "User2", "--add", "a"]).0, 3);
    let (code, out, _) = server.operator(&call);
    assert!(code == 0 && out.contains("role-31"), "{out}");
}
