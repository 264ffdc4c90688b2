//! A rotation of the master key by the real binary, on whichever store the settings name.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::ports::randomness::Randomness as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Answer, token_of};
use crate::process::{Process, call, command};
use crate::{Api, Person};

type Settings = Vec<(String, String)>;

/// The password of the made-up users.
pub(crate) const PASSWORD: &str = "tern-Quartz-58-lantern";

fn fresh_key() -> String {
    let mut key = [0; 32];
    OsRandomness.fill(&mut key);
    base64::engine::general_purpose::URL_SAFE.encode(key)
}

fn under(settings: &[(String, String)], ring: &str) -> Settings {
    // hashes as cheap as those of the servers
    let more = [("ENCRYPTION_KEY", ring), ("ARGON2_MEMORY_KIB", "64"), ("ARGON2_ITERATIONS", "1")];
    settings.iter().cloned().chain(more.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

fn status(folder: &Path, settings: &Settings) -> Value {
    let (code, out, error) = call(folder, settings, &["keys", "status", "--json"]);
    assert_eq!(code, 0, "{out}{error}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"))
}

/// How many records' keys lie under a key, of a collection or of all.
fn count(status: &Value, id: u32, of: &str) -> u64 {
    let keys = status["keys"].as_array().expect("keys");
    keys.iter().find(|key| key["id"] == id).map_or(0, |key| key[of].as_u64().expect("a count"))
}

pub(crate) fn fake(number: u64) -> String {
    format!("fake-{number}@example.org")
}

/// Kills a call as soon as it says that it is at users.
fn killed_in_the_middle(folder: &Path, settings: &Settings) {
    let mut child = command(folder, settings).args(["keys", "rewrap"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.starts_with("users "))), "it never comes to the users");
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// Asks again while the store is too slow for an answer in time, as often as a client's patience allows.
async fn patiently<F: Future<Output = Answer>>(patience: u32, ask: impl Fn() -> F) -> Answer {
    for _ in 0..patience {
        let answer = ask().await;
        if answer.status != 503 {
            return answer;
        }
        let seconds = answer.header("retry-after").parse().expect("a refusal that says when to come again");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    ask().await
}

/// The audit log tells of the last call of `keys rewrap`.
fn is_recorded(folder: &Path, settings: &[(String, String)]) {
    let (code, out, error) = call(folder, settings, &["audit", "list", "--realm", "User1", "--kind", "keys_rewrapped"]);
    assert!(code == 0 && out.contains("  by command line") && out.contains("  records=0 key=2\n"), "{out}{error}");
}

/// Made-up users log in, read their profile and log out, while keys are rewrapped.
pub(crate) async fn coming_and_going(api: Api, numbers: std::ops::Range<u64>, patience: u32) {
    for number in numbers {
        let email = fake(number);
        let pair = patiently(patience, || api.login(&email, PASSWORD)).await.expect(200);
        let one = api.with_token(&pair.member("access_token"));
        let _ = patiently(patience, || one.get("/")).await.expect(200);
        if number % 2 == 0 {
            let changed = json!({"first_name": "Anew"});
            let _ = patiently(patience, || one.json(Method::PATCH, "/update", &changed)).await.expect(200);
        } else {
            let gone = patiently(patience, || one.delete("/delete")).await;
            // what was refused for want of time may have been done
            assert!(gone.status == 200 || patience > 0 && gone.status == 401, "{} {}", gone.status, gone.text);
        }
    }
}

/// The new key comes, everything is wrapped under it while people log in, change, and delete themselves, one call is
/// killed, the old key goes: everybody is still there, but for those who left.
///
/// `many` made-up users are more than a page of keys. They ask again up to `patience` times where the store is too slow.
///
/// # Panics
/// When it is otherwise.
pub async fn no_account_is_lost_and_no_deleted_one_comes_back(servers: &[(String, String)], many: u64, patience: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (old, new) = (fresh_key(), fresh_key());
    let (one, both) = (under(servers, &format!("1:{old}")), under(servers, &format!("2:{new},1:{old}")));
    let (code, out, error) = call(folder, &one, &["users", "fake", "--count", &many.to_string()]);
    assert_eq!(code, 0, "{out}{error}");
    let (john, waits) = (Person::john(), Person::named("waits@example.com"));
    let server = Process::start(folder, &one);
    let (api, _) = server.api.logged_in(&john).await;
    let token = api.token.expect("a token");
    let _ = server.api.post("/create", &waits.form).await.expect(201);
    let link = token_of(&server.api.mail("mail_email_verify", &waits.email).await);
    server.stop();

    let server = Process::start(folder, &both);
    let before = status(folder, &both);
    assert_eq!((count(&before, 1, "users"), count(&before, 1, "registrations")), (many + 1, 1), "{before}");
    assert!(count(&before, 1, "outbox") > 0 && count(&before, 1, "checks") == 1, "{before}");
    assert_eq!((&before["encrypting"], &before["decrypting"]), (&json!(2), &json!([2, 1])));
    let (code, out, error) = call(folder, &both, &["keys", "rewrap", "--dry-run"]);
    assert!(code == 0 && out.contains("under key 1. Fix: `portcullis keys rewrap`"), "{out}{error}");
    assert_eq!(status(folder, &both), before, "a rehearsal changes nothing");
    // copies of the records under the old key
    let api = server.api.with_token(&token);
    for _ in 0..100 {
        let _ = api.get("/").await.expect(200);
    }

    killed_in_the_middle(folder, &both);
    let half = status(folder, &both);
    assert!(count(&half, 1, "users") > 0 && count(&half, 2, "users") > 0, "{half}");
    // while anything is left, nothing starts without the old key
    let (code, _, error) = call(folder, &under(servers, &format!("2:{new}")), &["keys", "status"]);
    assert!(code == 1 && error.contains("ENCRYPTION_KEY: "), "{error}");

    let working = tokio::spawn(coming_and_going(server.api.clone(), many - 40..many, patience));
    let (path, settings) = (folder.to_owned(), both.clone());
    let rewrapping = tokio::task::spawn_blocking(move || call(&path, &settings, &["keys", "rewrap"]));
    let (code, out, error) = rewrapping.await.expect("it runs");
    working.await.expect("everybody was served");
    assert!(code == 0 && out.contains("signed under key 2") && out.contains("/s"), "{out}{error}");
    let (code, out, error) = call(folder, &both, &["keys", "rewrap"]);
    assert!(code == 0 && out.contains("0 records wrapped and"), "{out}{error}");
    is_recorded(folder, &both);
    let after = status(folder, &both);
    assert_eq!((count(&after, 1, "records"), count(&after, 2, "users")), (0, many + 1 - 20), "{after}");
    assert_eq!((count(&after, 2, "registrations"), count(&after, 2, "checks")), (1, 1), "{after}");
    let (code, out, _) = call(folder, &both, &["keys", "status"]);
    assert!(code == 0 && out.contains("no record is under key 1: you can remove it from ENCRYPTION_KEY"), "{out}");
    server.stop();

    let alone = under(servers, &format!("2:{new}"));
    let server = Process::start(folder, &alone);
    let api = server.api.with_token(&token);
    for _ in 0..100 {
        assert_eq!(api.get("/").await.expect(200).json()["email"], "john.doe@example.com");
    }
    assert!(api.get("/export").await.expect(200).text.contains("john.doe@example.com"));
    assert!(!server.api.mailbox().await.is_empty(), "the mailbox opens");
    let _ = server.api.post("/verify", &json!({"token": link})).await.expect(200);
    let _ = server.api.session(&waits).await;
    nobody_came_back(&server.api, (1..40).chain(many - 40..many), many).await;
    server.stop();
    a_key_that_is_nowhere_is_told(folder, servers, &new, &john).await;
}

/// Of the last forty the odd ones left; everybody else can log in.
async fn nobody_came_back(api: &Api, numbers: impl Iterator<Item = u64>, many: u64) {
    for number in numbers {
        let answer = api.login(&fake(number), PASSWORD).await;
        if number >= many - 40 && number % 2 == 1 {
            assert_eq!(answer.status, 401, "{number} is gone");
            continue;
        }
        let one = api.with_token(&answer.expect(200).member("access_token"));
        let _ = one.get("/").await.expect(200);
    }
}

/// Somebody registered under a key that has been lost since.
async fn a_key_that_is_nowhere_is_told(folder: &Path, servers: &[(String, String)], key: &str, john: &Person) {
    let (lost, newest) = (fresh_key(), fresh_key());
    let server = Process::start(folder, &under(servers, &format!("3:{lost},2:{key}")));
    let _ = server.api.verified(&Person::named("lost@example.com")).await;
    server.stop();
    let ring = under(servers, &format!("4:{newest},2:{key}"));
    let (code, out, error) = call(folder, &ring, &["keys", "rewrap"]);
    assert!(code == 1 && out.contains("signed under key 4"), "{out}{error}");
    assert!(error.contains("under key 3, which is not in the ring") && error.contains("3:KEY"), "{error}");
    let told = status(folder, &ring);
    assert_eq!((count(&told, 3, "users"), count(&told, 2, "records"), count(&told, 4, "checks")), (1, 0, 1), "{told}");
    let server = Process::start(folder, &under(servers, &format!("4:{newest}")));
    let (api, _) = server.api.session(john).await;
    let _ = api.get("/").await.expect(200);
    server.stop();
}
