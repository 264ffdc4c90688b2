//! Operators' commands by the real binary, beside the running server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use portcullis_tests::api::token_of;
use portcullis_tests::process::command;
use portcullis_tests::{Person, TestServer};
use serde_json::{Value, json};

/// A call with an input. Returns its exit code, and its output on stdout and stderr.
fn call_with(server: &TestServer, arguments: &[&str], input: &str) -> (i32, String, String) {
    let settings: Vec<_> = server.wanted().iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let mut command: Command = command(server.folder(), &settings);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json_of(server: &TestServer, arguments: &[&str]) -> Value {
    let (code, out, error) = server.operator(&[arguments, &["--json"]].concat());
    assert_eq!(code, 0, "{arguments:?}: {out}{error}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

#[tokio::test]
async fn accounts_are_found_by_id_address_and_number() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let (id, other) = (api.verified(&john).await, api.verified(&jane).await);
    let _ = api.session(&john).await;
    let find = |who: &str| json_of(&server, &["users", "find", who, "--realm", "User1"]);
    for who in [&*id, "JOHN.doe@example.com"] {
        let found = find(who);
        assert_eq!(
            (&found[0]["id"], &found[0]["sessions"], found.as_array().unwrap().len()),
            (&json!(id), &json!(1), 1)
        );
        assert!(!found.to_string().contains("John") && !found.to_string().contains("example"), "{found}");
    }
    let both = find("+1234567890");
    let mut ids: Vec<&str> = both.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut wanted = [&*id, &*other];
    wanted.sort_unstable();
    assert_eq!(ids, wanted);
    let (code, out, _) = call_with(&server, &["users", "find", "-", "--realm", "User1"], "jane@example.com\n");
    assert!(code == 0 && out.starts_with(&other), "{out}");
    for (who, realm) in [("nobody@example.com", "User1"), ("+12025550100", "User1"), (&*id, "User2")] {
        let (code, out, error) = server.operator(&["users", "find", who, "--realm", realm]);
        assert!(code == 3 && out.is_empty() && error.contains("no such account"), "{out}{error}");
    }
}

#[tokio::test]
async fn a_persons_fields_are_shown_for_a_reason_that_the_audit_log_keeps() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let id = api.verified(&john).await;
    let (user, _) = api.session(&john).await;
    for command in ["show", "export"] {
        assert_eq!(server.operator(&["users", command, &id, "--realm", "User1"]).0, 2, "{command} needs a reason");
        assert_eq!(server.operator(&["users", command, &id, "--realm", "User1", "--reason", " "]).0, 2);
    }
    let reason = ["--realm", "User1", "--reason", "ticket 4711"];
    let shown = json_of(&server, &[&["users", "show", &id], &reason[..]].concat());
    assert_eq!((&shown["profile"]["email"], &shown["account"]["id"]), (&json!(john.email), &json!(id)));
    assert_eq!(shown["sessions"].as_array().unwrap().len(), 1);
    let (code, out, _) = server.operator(&[&["users", "show", &john.email], &reason[..]].concat());
    assert!(code == 0 && out.contains("John Doe") && out.contains(&john.email), "{out}");
    let export = json_of(&server, &[&["users", "export", &id], &reason[..]].concat());
    assert_eq!(export["profile"]["email"], json!(john.email));
    let _ = api.mail("operator_acted", &john.email).await;
    let events = json_of(&server, &["audit", "list", "--realm", "User1", "--user", &id, "--kind", "account_read"]);
    let events = events["events"].as_array().unwrap();
    assert_eq!(events.len(), 2);
    for event in events {
        assert_eq!(event["reason"], "ticket 4711");
        assert!(event["operator"].as_str().unwrap().starts_with("command line"), "{event}");
    }
    let own = user.get("/export").await.expect(200).json().to_string();
    assert!(own.contains("account_read") && own.contains("ticket 4711"), "the person sees who read: {own}");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let id = api.verified(&john).await;
    let (user, _) = api.session(&john).await;
    for command in ["disable", "enable", "delete", "end-sessions", "require-reset"] {
        let told = json_of(&server, &["users", command, &id, "--realm", "User1", "--dry-run"]);
        assert_eq!((&told["dry_run"], &told["account"]["id"]), (&json!(true), &json!(id)), "{command}");
    }
    let told = json_of(&server, &["sessions", "end", "--all", "--dry-run"]);
    assert_eq!(told, json!({"accounts": 1, "sessions_ended": 1, "dry_run": true}));
    let form = Person::named("jane@example.com").form.to_string();
    let (code, out, _) = call_with(&server, &["users", "create", "--realm", "User1", "--dry-run", "--json"], &form);
    assert!(code == 0 && out.contains("dry_run"), "{out}");
    assert_eq!(server.operator(&["users", "find", "jane@example.com", "--realm", "User1"]).0, 3);
    let _ = user.get("/").await.expect(200);
    let _ = api.login(&john.email, &john.password).await.expect(200);
}

#[tokio::test]
async fn sessions_end_for_an_account_a_realm_and_all_realms() {
    let server = TestServer::start().await;
    let (api, elsewhere) = (server.realm("User1"), server.realm("User2"));
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let (here, refresh) = api.logged_in(&john).await;
    let (other, _) = api.logged_in(&jane).await;
    let (there, _) = elsewhere.logged_in(&john).await;
    let done = json_of(&server, &["users", "end-sessions", &john.email, "--realm", "User1"]);
    assert_eq!(done["sessions_ended"], 1);
    let _ = here.get("/").await.expect(401);
    assert_eq!(api.refresh(&refresh).await.expect(400).code(), "invalid_grant");
    let _ = other.get("/").await.expect(200);
    let _ = api.mail("operator_acted", &john.email).await;

    let (here, _) = api.session(&john).await;
    let done = json_of(&server, &["sessions", "end", "--realm", "User1"]);
    assert_eq!(done, json!({"accounts": 2, "sessions_ended": 2, "dry_run": false}));
    for client in [&here, &other] {
        let _ = client.get("/").await.expect(401);
    }
    let _ = there.get("/").await.expect(200);
    let (code, out, _) = server.operator(&["sessions", "end", "--all"]);
    assert!(code == 0 && out.trim() == "1 session of 1 account ended", "{out}");
    let _ = there.get("/").await.expect(401);
    assert_eq!(server.operator(&["sessions", "end"]).0, 2, "which ones is said");
    assert_eq!(server.operator(&["sessions", "end", "--realm", "User1", "--user", "nobody@example.com"]).0, 3);
}

#[tokio::test]
async fn accounts_are_made_invited_reset_and_deleted() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let create = ["users", "create", "--realm", "User1", "--json"];
    let (code, out, error) = call_with(&server, &create, &john.form.to_string());
    assert_eq!(code, 0, "{out}{error}");
    let id = serde_json::from_str::<Value>(&out).unwrap()["id"].as_str().unwrap().to_owned();
    let (user, _) = api.session(&john).await;
    assert_eq!(user.get("/").await.expect(200).json()["id"], json!(id));
    let (code, _, error) = call_with(&server, &create, &john.form.to_string());
    assert!(code == 1 && error.contains("has an account"), "{error}");
    let mut weak = jane.form.clone();
    weak["password"] = json!("12345678");
    weak["phone"] = json!("x");
    let (code, _, error) = call_with(&server, &create, &weak.to_string());
    assert!(code == 1 && error.contains("phone: ") && error.contains("password: "), "{error}");
    assert!(!error.contains("12345678"), "{error}");

    let mut form = jane.form.clone();
    let _ = form.as_object_mut().unwrap().remove("password");
    let (code, _, error) = call_with(&server, &["users", "invite", "--realm", "User1"], &form.to_string());
    assert_eq!(code, 0, "{error}");
    let token = token_of(&api.mail("invitation", &jane.email).await);
    let chosen = json!({"token": token, "password": jane.password});
    let _ = api.post("/reset_password", &chosen).await.expect(200);
    let _ = api.session(&jane).await;

    let done = json_of(&server, &["users", "require-reset", &id, "--realm", "User1"]);
    assert_eq!(done["sessions_ended"], 1);
    let _ = api.login(&john.email, &john.password).await.expect(401);
    let token = token_of(&api.mail("reset_required", &john.email).await);
    let _ = api.post("/reset_password", &json!({"token": token, "password": "Mj4$rB8?nL1c-garden"})).await.expect(200);
    let _ = api.login(&john.email, "Mj4$rB8?nL1c-garden").await.expect(200);

    let done = json_of(&server, &["users", "delete", &id, "--realm", "User1", "--reason", "asked by letter"]);
    assert_eq!(done["id"], json!(id));
    let _ = api.login(&john.email, "Mj4$rB8?nL1c-garden").await.expect(401);
    let events = json_of(&server, &["audit", "list", "--realm", "User1", "--kind", "account_deleted"]);
    assert_eq!(events["events"][0]["reason"], "asked by letter");
}

#[tokio::test]
async fn the_audit_log_is_listed_in_pages_and_followed() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let john = Person::john();
    let id = api.verified(&john).await;
    for _ in 0..3 {
        let _ = api.session(&john).await;
    }
    let list = ["audit", "list", "--realm", "User1", "--user", &id, "--kind", "logged_in", "--limit", "2"];
    let first = json_of(&server, &list);
    assert_eq!(first["events"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap().to_owned();
    let second = json_of(&server, &[&list[..], &["--before", &next]].concat());
    assert_eq!((second["events"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    let (code, out, _) = server.operator(&["audit", "list", "--realm", "User1", "--kind", "logged_in"]);
    assert!(code == 0 && out.lines().count() == 3 && out.contains(&id), "{out}");
    assert!(!out.contains("example.com"), "{out}");
    for wrong in [["--kind", "nothing"], ["--since", "yesterday"], ["--before", "x"], ["--limit", "0"]] {
        assert_eq!(server.operator(&[&["audit", "list", "--realm", "User1"], &wrong[..]].concat()).0, 2, "{wrong:?}");
    }

    let settings: Vec<_> = server.wanted().iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let mut command = command(server.folder(), &settings);
    let tail = ["audit", "tail", "--realm", "User1", "--kind", "logged_in", "--kind", "logged_out", "--json"];
    let mut child = command.args(tail).args(["--lines", "2"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((&next()["event"], &next()["event"]), (&json!("logged_in"), &json!("logged_in")));
    let (user, _) = api.session(&john).await;
    assert_eq!(next()["event"], "logged_in");
    let _ = user.get("/logout").await.expect(200);
    assert_eq!(next()["event"], "logged_out");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0), "told to stop, it ends well");
}
