//! A rotation of the index key by the real binary, on whichever store the settings name.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::token_of;
use crate::process::{Process, call, command};
use crate::rotation::{PASSWORD, coming_and_going, fake};
use crate::{Api, Person};

type Settings = Vec<(String, String)>;

const OLD: &str = "hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0";
const NEW: &str = "Vt6yKq1Zr8WcN3xM5bH7gP2dF4jS9aL0";

fn under(settings: &[(String, String)], ring: &str) -> Settings {
    // hashes as cheap as those of the servers
    let more = [("INDEX_KEY", ring), ("ARGON2_MEMORY_KIB", "64"), ("ARGON2_ITERATIONS", "1")];
    settings.iter().cloned().chain(more.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// The part of `keys status` about the index keys.
fn status(folder: &Path, settings: &Settings) -> Value {
    let (code, out, error) = call(folder, settings, &["keys", "status", "--json"]);
    assert_eq!(code, 0, "{out}{error}");
    let status: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    status["index"].clone()
}

fn count(status: &Value, of: &str, what: &str) -> u64 {
    status["records"][of][what].as_u64().unwrap_or_else(|| panic!("{status}"))
}

/// Kills a call as soon as it says that it is at users.
fn killed_in_the_middle(folder: &Path, settings: &Settings) {
    let mut child =
        command(folder, settings).args(["keys", "reindex"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.starts_with("users "))), "it never comes to the users");
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// The people of the story.
struct Cast {
    /// Has an account, a session and a reset link that was not used yet.
    john: Person,
    /// Has changed her address: the old one is reserved.
    moved: Person,
    new_address: &'static str,
    /// Has not followed her link yet.
    waits: Person,
    waiting_link: String,
    refresh_token: String,
    reset_link: String,
}

impl Cast {
    async fn appear(api: &Api) -> Self {
        let (john, moved) = (Person::john(), Person::named("moved@example.com"));
        let waits = Person::named("waits@example.com");
        let (_, refresh_token) = api.logged_in(&john).await;
        let (mover, _) = api.logged_in(&moved).await;
        let new_address = "new.home@example.com";
        let _ = mover.json(Method::PATCH, "/update", &json!({"email": new_address})).await.expect(200);
        let link = token_of(&api.mail("email_change_confirm", new_address).await);
        let _ = api.post("/verify", &json!({"token": link})).await.expect(200);
        let _ = api.post("/create", &waits.form).await.expect(201);
        let waiting_link = token_of(&api.mail("mail_email_verify", &waits.email).await);
        let _ = api.post("/forget_password", &json!({"email": john.email})).await.expect(202);
        let reset_link = token_of(&api.mail("mail_password_reset", &john.email).await);
        Self { john, moved, new_address, waits, waiting_link, refresh_token, reset_link }
    }

    /// Neither an account's address nor a reserved one can be registered: their owners get a mail instead.
    async fn keep_their_addresses(&self, api: &Api, already: usize) {
        for email in [&self.john.email, &self.moved.email] {
            let _ = api.post("/create", &Person::named(email).form).await.expect(201);
            let _ = api.mails("already_registered", email, already).await;
        }
        let links = |email: &str, mails: &[Value]| {
            mails.iter().filter(|mail| mail["template"] == "mail_email_verify" && mail["to"] == email).count()
        };
        let mails = api.mailbox().await;
        assert_eq!(
            (links(&self.john.email, &mails), links(&self.moved.email, &mails)),
            (1, 1),
            "one link each, for ever"
        );
    }
}

/// A new index key comes into second place, then to the front; every record gets its index while people come and go, and
/// one call is killed; the old key goes: everybody is found still, and no second account has begun on any address.
///
/// # Panics
/// When it is otherwise.
pub async fn every_address_is_found_and_none_is_taken_twice(servers: &[(String, String)], many: u64, patience: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let ring = |text: &str| under(servers, text);
    let (one, second) = (ring(OLD), ring(&format!("1:{OLD},2:{NEW}")));
    let (both, alone) = (ring(&format!("2:{NEW},1:{OLD}")), ring(&format!("2:{NEW}")));
    let (code, out, error) = call(folder, &one, &["users", "fake", "--count", &many.to_string()]);
    assert_eq!(code, 0, "{out}{error}");
    let server = Process::start(folder, &one);
    let mut cast = Cast::appear(&server.api).await;
    server.stop();

    // in second place: nothing depends on the new key yet, and every server of the old ring may come back
    let server = Process::start(folder, &second);
    cast.refresh_token = server.api.refresh(&cast.refresh_token).await.expect(200).member("refresh_token");
    cast.keep_their_addresses(&server.api, 1).await;
    let later = Person::named("later@example.com");
    let _ = server.api.verified(&later).await;
    server.stop();
    let server = Process::start(folder, &one);
    let _ = server.api.session(&later).await;
    server.stop();

    let server = Process::start(folder, &both);
    let before = status(folder, &both);
    assert_eq!((&before["newest"], &before["in_use"]), (&json!(2), &json!([1, 2])), "{before}");
    assert_eq!(
        (count(&before, "users", "behind"), count(&before, "undo_records", "behind")),
        (many + 2, 1),
        "{before}"
    );
    cast.refresh_token = server.api.refresh(&cast.refresh_token).await.expect(200).member("refresh_token");
    cast.keep_their_addresses(&server.api, 2).await;

    killed_in_the_middle(folder, &both);
    let half = status(folder, &both);
    assert!(count(&half, "users", "behind") > 0 && count(&half, "users", "behind") < many, "{half}");
    // while any record needs the old key, nothing starts without it
    let (code, _, error) = call(folder, &alone, &["keys", "status"]);
    assert!(code == 1 && error.contains("INDEX_KEY (or EMAIL_SALT): ") && error.contains("index key 1,"), "{error}");
    let (code, _, error) = call(folder, &one, &["keys", "status"]);
    assert!(code == 1 && error.contains("index key 2,"), "{error}");

    let working = tokio::spawn(coming_and_going(server.api.clone(), many - 40..many, patience));
    let (path, settings) = (folder.to_owned(), both.clone());
    let reindexing = tokio::task::spawn_blocking(move || call(&path, &settings, &["keys", "reindex"]));
    let (code, out, error) = reindexing.await.expect("it runs");
    working.await.expect("everybody was served");
    assert!(
        code == 0 && out.contains("indexed under key 2") && out.contains("no record needs 1 any more"),
        "{out}{error}"
    );
    let list = ["audit", "list", "--realm", "User1", "--kind", "keys_reindexed"];
    let (code, out, error) = call(folder, &both, &list);
    assert!(code == 0 && out.contains("  by command line") && out.contains(" key=2\n"), "{out}{error}");
    let after = status(folder, &both);
    assert_eq!(after["in_use"], json!([2]), "{after}");
    for of in ["users", "registrations", "undo_records"] {
        assert_eq!((count(&after, of, "outdated"), count(&after, of, "damaged")), (0, 0), "{after}");
    }
    cast.keep_their_addresses(&server.api, 3).await;
    server.stop();
    the_old_key_is_gone(folder, &alone, cast, many).await;
    let (code, _, error) = call(folder, &one, &["keys", "status"]);
    assert!(code == 1 && error.contains("INDEX_KEY (or EMAIL_SALT): "), "{error}");
}

async fn the_old_key_is_gone(folder: &Path, alone: &Settings, cast: Cast, many: u64) {
    let server = Process::start(folder, alone);
    let api = &server.api;
    for _ in 0..2 {
        let refreshed = api.refresh(&cast.refresh_token).await.expect(200);
        let _ = api.with_token(&refreshed.member("access_token")).get("/").await.expect(200);
        // a link that was made under the old key can't be used any more; a new one can
        let _ = api.post("/reset_password", &json!({"token": cast.reset_link, "password": PASSWORD})).await.expect(400);
        let (code, out, error) = call(folder, alone, &["keys", "reindex"]);
        assert!(code == 0 && !out.contains("no record needs"), "{out}{error}");
    }
    cast.keep_their_addresses(api, 4).await;
    let _ = api.session(&cast.john).await;
    let _ = api.login(cast.new_address, &cast.moved.password).await.expect(200);
    let _ = api.post("/verify", &json!({"token": cast.waiting_link})).await.expect(400);
    let _ = api.post("/resend_verification", &json!({"email": cast.waits.email})).await.expect(202);
    let link = token_of(&api.mails("mail_email_verify", &cast.waits.email, 2).await.swap_remove(0));
    let _ = api.post("/verify", &json!({"token": link})).await.expect(200);
    let _ = api.session(&cast.waits).await;
    for number in (1..40).chain(many - 40..many) {
        let gone = number >= many - 40 && number % 2 == 1;
        let _ = api.login(&fake(number), PASSWORD).await.expect(if gone { 401 } else { 200 });
    }
    let status = status(folder, alone);
    assert_eq!((count(&status, "users", "outdated"), &status["in_use"]), (0, &json!([2])), "{status}");
    server.stop();
}

/// Registrations of one address on two instances, whose rings have the keys in either order, are registrations of one
/// address: the first link that is followed begins the account, on either instance, and the other one is dead.
///
/// # Panics
/// When it is otherwise.
pub async fn instances_of_either_ring_begin_one_account(servers: &[(String, String)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (old_first, new_first) =
        (under(servers, &format!("1:{OLD},2:{NEW}")), under(servers, &format!("2:{NEW},1:{OLD}")));
    let one = Process::start(folder, &old_first);
    let two = Process::start(folder, &new_first);
    for number in 0..5 {
        let person = Person::named(&format!("both{number}@example.com"));
        let (first, second) =
            tokio::join!(one.api.post("/create", &person.form), two.api.post("/create", &person.form));
        let _ = (first.expect(201), second.expect(201));
        let links: Vec<String> =
            one.api.mails("mail_email_verify", &person.email, 2).await.iter().map(token_of).collect();
        // pending together: both links ask for the password, whichever instance has the other registration
        for link in &links {
            let bare = two.api.post("/verify", &json!({"token": link})).await.expect(422);
            assert_eq!(bare.json()["errors"][0]["field"], "password");
        }
        let follow = |api: &Api, link: &str| {
            let (api, body) = (api.clone(), json!({"token": link, "password": person.password}));
            async move { api.post("/verify", &body).await.status.as_u16() }
        };
        let (first, second) = tokio::join!(follow(&one.api, &links[0]), follow(&two.api, &links[1]));
        let mut answers = [first, second];
        answers.sort_unstable();
        assert_eq!(answers, [200, 400], "one account");
        let _ = one.api.session(&person).await;
        let (session, refresh_token) = two.api.session(&person).await;
        let refreshed = one.api.refresh(&refresh_token).await.expect(200).member("refresh_token");
        let _ = two.api.refresh(&refreshed).await.expect(200);
        let _ = one.api.with_token(session.token.as_deref().expect("a token")).delete("/delete").await.expect(200);
        let _ = two.api.login(&person.email, &person.password).await.expect(401);
    }
    one.stop();
    two.stop();
}
