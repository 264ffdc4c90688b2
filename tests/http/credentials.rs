//! Service clients and operator tokens that the command line makes, beside the running server.

use std::time::Duration;

use portcullis_tests::{Api, Person, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

fn json_of(server: &TestServer, arguments: &[&str]) -> Value {
    let (code, out, error) = server.operator(&[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{arguments:?}: {out}{error}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The status of an introspection.
async fn introspect(api: &Api, id: &str, secret: &str, token: &str) -> u16 {
    let request = api.request(Method::POST, "/introspect").basic_auth(id, Some(secret)).form(&[("token", token)]);
    api.send(request).await.status.as_u16()
}

/// The status of an introspection by an operator token.
async fn introspect_as(api: &Api, operator: &str, token: &str) -> u16 {
    api.with_token(operator).form("/introspect", &[("token", token)]).await.status.as_u16()
}

#[tokio::test]
async fn a_client_introspects_until_it_is_rotated_or_deleted() {
    let server = TestServer::start().await;
    let (api, elsewhere) = (server.realm("User1"), server.realm("User2"));
    let (user, _) = api.logged_in(&Person::john()).await;
    let token = user.token.clone().unwrap();
    let made = json_of(&server, &["clients", "create", "billing", "--realm", "User1"]);
    let first = text(&made, "secret");
    assert_eq!((&made["id"], &made["scopes"]), (&json!("billing"), &json!(["introspect"])));
    assert_eq!(introspect(&api, "billing", first, &token).await, 200);
    assert_eq!(introspect(&elsewhere, "billing", first, &token).await, 401, "of its realm only");
    assert_eq!(introspect(&api, "other", first, &token).await, 401);
    assert_eq!(introspect(&api, "billing", &first.replace(&first[..1], "_"), &token).await, 401);
    let (code, _, error) = server.operator(&["clients", "create", "billing", "--realm", "User1"]);
    assert!(code == 1 && error.contains("clients rotate"), "{error}");

    // on standard output there is the secret alone
    let (code, out, _) = server.operator(&["clients", "rotate", "billing", "--realm", "User1"]);
    let second = out.trim();
    assert!(code == 0 && second.len() == 43 && second != first, "{out}");
    assert_eq!(introspect(&api, "billing", first, &token).await, 401);
    assert_eq!(introspect(&api, "billing", second, &token).await, 200);
    let listed = json_of(&server, &["clients", "list", "--realm", "User1"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!("billing")));
    assert!(listed[0].get("secret").is_none() && !listed.to_string().contains(second), "{listed}");
    for plan in ["rotate", "delete"] {
        let _ = json_of(&server, &["clients", plan, "billing", "--realm", "User1", "--dry-run"]);
        assert_eq!(server.operator(&["clients", plan, "nobody", "--realm", "User1", "--dry-run"]).0, 3);
        assert_eq!(server.operator(&["clients", plan, "nobody", "--realm", "User1"]).0, 3);
    }
    assert_eq!(introspect(&api, "billing", second, &token).await, 200);
    let _ = json_of(&server, &["clients", "delete", "billing", "--realm", "User1", "--reason", "ticket 7"]);
    assert_eq!(introspect(&api, "billing", second, &token).await, 401);
    assert_eq!(json_of(&server, &["clients", "list", "--realm", "User1"]), json!([]));
    for wrong in ["opt_a", "a b", "a:b"] {
        assert_eq!(server.operator(&["clients", "create", wrong, "--realm", "User1"]).0, 2, "{wrong}");
    }
    let kinds = ["--kind", "client_created", "--kind", "client_rotated", "--kind", "client_deleted"];
    let events = json_of(&server, &[&["audit", "list", "--realm", "User1"], &kinds[..]].concat());
    // each call is an instance of its own, so that the order of their events is open
    let events = events["events"].as_array().unwrap();
    let mut names: Vec<&str> = events.iter().map(|event| text(event, "event")).collect();
    names.sort_unstable();
    assert_eq!(names, ["client_created", "client_deleted", "client_rotated"]);
    let deleted = events.iter().find(|event| event["event"] == "client_deleted").unwrap();
    assert_eq!(deleted["reason"], "ticket 7");
}

#[tokio::test]
async fn an_operator_token_does_what_its_scopes_say_until_it_ends() {
    const FIXED: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-operator";
    let server = TestServer::start_with(&[("OPERATOR_TOKEN", FIXED)]).await;
    let (api, elsewhere) = (server.realm("User1"), server.realm("User2"));
    let (user, _) = api.logged_in(&Person::john()).await;
    let token = user.token.clone().unwrap();
    let make = |scopes: &[&str]| {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let arguments = ["operator-tokens", "create", "--realm", "User1"].into_iter().chain(scopes);
        json_of(&server, &arguments.collect::<Vec<_>>())
    };
    let (observe, both) = (make(&["observe"]), make(&["observe", "introspect"]));
    let introspects = make(&["introspect"]);
    for (operator, observes, may_introspect) in [
        (text(&observe, "secret"), 200, 401),
        (text(&introspects, "secret"), 401, 200),
        (text(&both, "secret"), 200, 200),
        (FIXED, 200, 401),
        (&*token, 401, 401),
        ("User1.opt_00000000000000000000000000000000.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 401, 401),
    ] {
        for path in ["//metrics", "//health/detailed"] {
            assert_eq!(api.with_token(operator).get(path).await.status, observes, "{path}");
        }
        assert_eq!(introspect_as(&api, operator, &token).await, may_introspect);
        assert_eq!(introspect_as(&elsewhere, operator, &token).await, 401, "of its realm only");
    }
    let listed = json_of(&server, &["operator-tokens", "list", "--realm", "User1"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains(text(&both, "secret")), "{listed}");
    assert_eq!(json_of(&server, &["clients", "list", "--realm", "User1"]), json!([]));

    let revoke = ["operator-tokens", "revoke", text(&both, "id"), "--realm", "User1"];
    let _ = json_of(&server, &[&revoke[..], &["--dry-run"]].concat());
    let _ = api.with_token(text(&both, "secret")).get("//metrics").await.expect(200);
    let _ = json_of(&server, &revoke);
    let _ = api.with_token(text(&both, "secret")).get("//metrics").await.expect(401);
    assert_eq!(server.operator(&revoke).0, 3);
    let _ = api.with_token(text(&observe, "secret")).get("//metrics").await.expect(200);
    server.advance(Duration::from_secs(91 * 24 * 3600));
    let _ = api.with_token(text(&observe, "secret")).get("//metrics").await.expect(401);
    for wrong in [&["--scope", "everything"][..], &[], &["--scope", "observe", "--days", "367"]] {
        let create = ["operator-tokens", "create", "--realm", "User1"];
        assert_eq!(server.operator(&[&create, wrong].concat()).0, 2, "{wrong:?}");
    }
}
