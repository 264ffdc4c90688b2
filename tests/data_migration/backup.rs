//! `portcullis backup` and `portcullis restore` by the real binary.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use portcullis_adapters::sqlite::{Sqlite, backup};
use portcullis_tests::process::{Process, call, command};
use portcullis_tests::record_macs;
use portcullis_tests::seed_data::seed;
use portcullis_tests::{Api, Person};
use serde_json::Value;

type Settings = Vec<(String, String)>;

const PUBLIC: &str = "age1mv8d7k9trvcgl7nndjnsjwe5pd2u9cr7chm7pmj4fgpw2c5acy3qy07008";
const PRIVATE: &str = "AGE-SECRET-KEY-16NUJU9RGYFVAP8QC3YXN4HQARK8QZASRNLRN8E4SXX2KCELJ05GS5E3CWJ";

/// A ledger in a folder of its own, and the database that is restored.
fn settings(database: &str) -> Settings {
    [("ERASURE_LEDGER", "apart/ledger"), ("DATABASE_URL", database)].map(|(n, v)| (n.to_owned(), v.to_owned())).into()
}

const LIVE: &str = "sqlite://data/portcullis.db";
const RESTORED: &str = "sqlite://new/portcullis.db";

/// A folder for a ledger, beside that of the data.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("apart")).unwrap();
    folder
}

fn restore(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    // the secrets are kept apart from the backup
    std::fs::create_dir_all(folder.join("new")).unwrap();
    std::fs::copy(folder.join("data/secrets.env"), folder.join("new/secrets.env")).unwrap();
    call(folder, &settings(RESTORED), &[&["restore"], arguments].concat())
}

fn files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> =
        files.filter(|name| !["portcullis.db.lock", "secrets.env"].contains(&&**name)).collect();
    files.sort_unstable();
    files
}

async fn is_logged_in(api: &Api) -> bool {
    api.get("/sessions").await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_running_server_is_restored_without_its_rights_and_without_the_deleted() {
    let folder = folder();
    let server = Process::start(folder.path(), &settings(LIVE));
    let (john, jane) = (Person::john(), Person::named("jane@example.com"));
    let (johns, refresh) = server.api.logged_in(&john).await;
    let (janes, _) = server.api.logged_in(&jane).await;
    let live = |arguments: &[&str]| call(folder.path(), &settings(LIVE), arguments);
    let (_, token, _) = live(&["operator-tokens", "create", "--realm", "User1", "--scope", "users:read"]);
    let (_, secret, _) = live(&["clients", "create", "billing", "--realm", "User1"]);
    let operator = server.api.with_token(token.trim());
    let search = serde_json::json!({"email": john.email});
    let _ = operator.post("//admin/v1/User1/users/search", &search).await.expect(200);
    let _ = server.api.post("/forget_password", &serde_json::json!({"email": john.email})).await;
    let reset = portcullis_tests::api::token_of(&server.api.mail("mail_password_reset", &john.email).await);

    let (code, out, error) = live(&["backup", "copy.db", "--json", "--reason", "nightly"]);
    assert!(code == 0 && error.is_empty(), "{out}{error}");
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&made["records"]["users"], &made["encrypted"]), (&2.into(), &false.into()), "{made}");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("copy.db"), 0o600);
    let (code, _, error) = live(&["backup", "copy.db"]);
    assert!(code == 1 && error.contains("copy.db exists. Fix: name a new file"), "{error}");
    let (_, events, _) = live(&["audit", "list", "--realm", "User1", "--kind", "backup_made", "--json"]);
    assert!(events.contains("nightly") && events.contains("command line"), "{events}");

    let _ = janes.delete("/delete").await.expect(200);
    server.stop();
    let (code, out, error) = restore(folder.path(), &["copy.db", "--dry-run", "--json"]);
    let examined: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code} {out}{error}"));
    assert_eq!(examined["accounts_left_deleted"], 1, "{examined}");
    assert_eq!(files(&folder.path().join("new")), Vec::<String>::new());
    let (code, out, error) = restore(folder.path(), &["copy.db"]);
    assert!(code == 0 && out.contains("1 accounts restored; 1 stay deleted"), "{out}{error}");
    assert!(out.contains("User1  billing"), "{out}");
    assert_eq!(
        (files(&folder.path().join("new")), mode("new/portcullis.db")),
        (vec!["portcullis.db".to_owned()], 0o600)
    );

    let server = Process::start(folder.path(), &settings(RESTORED));
    let at = |api: &Api| match &api.token {
        Some(token) => server.api.with_token(token),
        None => server.api.clone(),
    };
    assert!(!is_logged_in(&at(&johns)).await, "a session of the backup's time");
    assert_eq!(server.api.refresh(&refresh).await.expect(400).code(), "invalid_grant");
    assert_eq!(at(&operator).post("//admin/v1/User1/users/search", &search).await.status, 401);
    let introspected = server.api.request(reqwest::Method::POST, "/introspect");
    let introspected = introspected.basic_auth("billing", Some(secret.trim())).form(&[("token", "x")]);
    assert_eq!(server.api.send(introspected).await.status, 401);
    let reset = serde_json::json!({"token": reset, "password": "kq7!Zp2#vW9x-tulip"});
    let refused = server.api.post("/reset_password", &reset).await.expect(400);
    assert_eq!(refused.code(), "invalid_token", "a link of the backup's time");
    assert_eq!(server.api.login(&jane.email, &jane.password).await.status, 401, "she was deleted");
    let (john, _) = server.api.session(&john).await;
    assert!(is_logged_in(&john).await);
    says_what_was_restored(folder.path());
}

/// The audit log and the ledger after the restore of a backup from before a deletion.
fn says_what_was_restored(folder: &Path) {
    let new = |arguments: &[&str]| call(folder, &settings(RESTORED), arguments).1;
    assert!(new(&["audit", "list", "--realm", "User1", "--kind", "backup_restored"]).contains("backup_restored"));
    let deleted = new(&["audit", "list", "--realm", "User1", "--kind", "account_deleted"]);
    assert!(deleted.contains("in the erasure ledger"), "{deleted}");
    let (printed, kept) = (new(&["erasure-ledger"]), std::fs::read_to_string(folder.join("apart/ledger")).unwrap());
    let mac = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(printed.lines().map(mac).collect::<Vec<_>>(), kept.lines().map(mac).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_backup_opens_with_its_private_key_only() {
    let folder = folder();
    let server = Process::start(folder.path(), &settings(LIVE));
    let john = Person::john();
    let _ = server.api.logged_in(&john).await;
    let (code, out, error) = call(folder.path(), &settings(LIVE), &["backup", "copy.age", "--to", PUBLIC]);
    assert!(code == 0 && out.contains("encrypted and verified"), "{out}{error}");
    server.stop();
    let bytes = std::fs::read(folder.path().join("copy.age")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n") && !String::from_utf8_lossy(&bytes).contains("CREATE TABLE"));
    assert_eq!(files(folder.path()), ["apart", "copy.age", "data"], "no plain copy is left");
    let (code, _, error) = restore(folder.path(), &["copy.age"]);
    assert!(code == 1 && error.contains("is encrypted. Fix: name the file of the private key"), "{error}");
    std::fs::write(folder.path().join("key.txt"), PRIVATE).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("changed.age"), changed).unwrap();
    let (code, _, error) = restore(folder.path(), &["changed.age", "--identity", "key.txt"]);
    assert!(code == 1 && error.contains("was changed or cut"), "{error}");
    assert_eq!(files(&folder.path().join("new")), Vec::<String>::new());
    let (code, out, error) = restore(folder.path(), &["copy.age", "--identity", "key.txt"]);
    assert!(code == 0 && out.contains("1 accounts restored"), "{out}{error}");
    let server = Process::start(folder.path(), &settings(RESTORED));
    let _ = server.api.session(&john).await;
}

/// Starts a command, kills it with SIGKILL once a line of its output begins so.
fn kill_at(folder: &Path, database: &str, arguments: &[&str], line: &str) {
    let mut child = command(folder, &settings(database)).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|printed| printed.unwrap().starts_with(line)), "no {line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_a_backup_or_restore_leaves_nothing_of_its_name_and_the_next_call_succeeds() {
    let folder = folder();
    let server = Process::start(folder.path(), &settings(LIVE));
    let john = Person::john();
    let _ = server.api.logged_in(&john).await;
    server.stop();
    let path = folder.path().join("data/portcullis.db");
    let store = Sqlite::open(&path, &record_macs::of_folder(folder.path())).unwrap();
    seed(&store, 0..2_000).await;
    drop(store);
    for line in ["copying pages", "checking pages", "verifying users", "verifying outbox"] {
        kill_at(folder.path(), LIVE, &["backup", "copy.db"], line);
        assert!(!folder.path().join("copy.db").exists(), "killed at {line}");
    }
    std::fs::create_dir(folder.path().join("encrypted")).unwrap();
    let encrypted = ["backup", "encrypted/copy.age", "--to", PUBLIC];
    for line in ["copying pages", "verifying users", "encrypting"] {
        kill_at(folder.path(), LIVE, &encrypted, line);
        let left = files(&folder.path().join("encrypted"));
        assert!(left.iter().all(|name| name.starts_with("copy.age.encrypting")), "a plain copy: {left:?}");
    }
    let (code, out, error) = call(folder.path(), &settings(LIVE), &encrypted);
    assert!(code == 0 && out.contains("2001 accounts"), "{out}{error}");
    assert_eq!(files(&folder.path().join("encrypted")), ["copy.age"]);
    let left = files(&folder.path().join("data"));
    assert!(left.iter().all(|name| !name.contains(".backup")), "a plain copy: {left:?}");
    let (code, out, error) = call(folder.path(), &settings(LIVE), &["backup", "copy.db"]);
    assert!(code == 0 && out.contains("2001 accounts"), "{out}{error}");
    std::fs::create_dir_all(folder.path().join("new")).unwrap();
    std::fs::copy(folder.path().join("data/secrets.env"), folder.path().join("new/secrets.env")).unwrap();
    for line in ["reading the backup", "verifying users", "restoring users", "restoring audit", "comparing users"] {
        kill_at(folder.path(), RESTORED, &["restore", "copy.db", "--without-ledger"], line);
        assert!(!folder.path().join("new/portcullis.db").exists(), "killed at {line}");
    }
    let (code, out, error) = restore(folder.path(), &["copy.db", "--without-ledger"]);
    assert!(code == 0 && out.contains("2001 accounts restored; 0 stay deleted"), "{out}{error}");
    assert_eq!(files(&folder.path().join("new")), ["portcullis.db"]);
    let server = Process::start(folder.path(), &settings(RESTORED));
    let _ = server.api.session(&john).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_restore_is_refused_with_its_fix_and_changes_nothing() {
    let folder = folder();
    let server = Process::start(folder.path(), &settings(LIVE));
    let john = Person::john();
    let _ = server.api.logged_in(&john).await;
    let (code, out, error) = call(folder.path(), &settings(LIVE), &["backup", "copy.db"]);
    assert_eq!(code, 0, "{out}{error}");
    let live = |file: &str| call(folder.path(), &settings(LIVE), &["restore", file]);
    let (code, _, error) = live("copy.db");
    assert!(code == 1 && error.contains("is in use. Fix: stop the server"), "{error}");
    server.stop();
    let (code, _, error) = live("copy.db");
    assert!(code == 1 && error.contains("has data. Fix: move it away"), "{error}");
    assert_eq!(live("missing.db").0, 3);
    std::fs::create_dir(folder.path().join("new")).unwrap();
    // a log that was left alone would be added to the restored file
    std::fs::write(folder.path().join("new/portcullis.db-wal"), "left").unwrap();
    let (code, _, error) = restore(folder.path(), &["copy.db"]);
    assert!(code == 1 && error.contains("-wal"), "{error}");
    std::fs::remove_file(folder.path().join("new/portcullis.db-wal")).unwrap();

    let copy = std::fs::read(folder.path().join("copy.db")).unwrap();
    let mut damaged = copy.clone();
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0x5a);
    std::fs::write(folder.path().join("damaged.db"), damaged).unwrap();
    std::fs::write(folder.path().join("text.db"), "no database, whatever its name says. ".repeat(200)).unwrap();
    std::fs::write(folder.path().join("forged.db"), &copy).unwrap();
    let forged = rusqlite::Connection::open(folder.path().join("forged.db")).unwrap();
    forged.execute_batch("UPDATE users SET disabled = 1").unwrap();
    drop(forged);
    for (file, told) in [("damaged.db", "damaged"), ("text.db", "damaged"), ("forged.db", "does not verify")] {
        let (code, _, error) = restore(folder.path(), &[file]);
        assert!(code == 1 && error.contains(told) && error.contains("Fix: "), "{file}: {error}");
    }
    let without: Settings = settings(RESTORED).into_iter().filter(|(name, _)| name != "ERASURE_LEDGER").collect();
    let (code, _, error) = call(folder.path(), &without, &["restore", "copy.db"]);
    assert!(code == 1 && error.contains("no erasure ledger") && error.contains("--without-ledger"), "{error}");
    let (code, _, error) = restore(folder.path(), &["copy.db", "--ledger", "apart/missing"]);
    assert!(code == 1 && error.contains("erasure ledger"), "{error}");
    let other = [settings(RESTORED), vec![("INDEX_KEY".to_owned(), "hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0".to_owned())]];
    let (code, _, error) = call(folder.path(), &other.concat(), &["restore", "copy.db"]);
    assert!(code == 1 && error.contains("INDEX_KEY (or EMAIL_SALT): copy.db was written with another one"), "{error}");
    assert_eq!(files(&folder.path().join("new")), Vec::<String>::new());
    let server = Process::start(folder.path(), &settings(LIVE));
    let _ = server.api.session(&john).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_to_one_file_do_not_meet() {
    let folder = folder();
    let server = Process::start(folder.path(), &settings(LIVE));
    server.stop();
    let other = backup::lock(&folder.path().join("copy.db.copying")).unwrap();
    let (code, _, error) = call(folder.path(), &settings(LIVE), &["backup", "copy.db"]);
    assert!(code == 1 && error.contains("is being written by another backup. Fix: wait for its end"), "{error}");
    assert!(!folder.path().join("copy.db").exists());
    drop(other);
    let (code, out, error) = call(folder.path(), &settings(LIVE), &["backup", "copy.db"]);
    assert!(code == 0, "{out}{error}");
    let (code, _, error) = call(folder.path(), &settings(LIVE), &["backup", "missing/copy.db"]);
    assert!(code == 1 && error.contains("missing is no folder. Fix: make it first"), "{error}");
}
