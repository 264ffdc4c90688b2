//! The tamper-evident audit log by the real binary: a server that is killed, the commands while it runs, and openssl.

use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_tests::Person;
use portcullis_tests::process::{Process, call};
use serde_json::Value;
use tempfile::TempDir;

type Settings = Vec<(String, String)>;

/// A folder with new keys, and the settings that use them.
fn keys() -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = call(folder.path(), &[], &["keys", "generate", "--audit", "private.key"]);
    assert_eq!(code, 0, "{error}");
    let line = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings: Settings = out.lines().map(|text| line(text).unwrap()).collect();
    let names: Vec<&str> = settings.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["AUDIT_VERIFY_KEY", "AUDIT_SIGNING_KEY"]);
    let private = std::fs::read_to_string(folder.path().join("private.key")).unwrap();
    assert!(!out.contains(private.trim()), "the private half is in its file only");
    assert_eq!(call(folder.path(), &[], &["keys", "generate", "--audit", "private.key"]).0, 1, "no file is replaced");
    settings.push(("AUDIT_CHECKPOINT_FILE".to_owned(), "checkpoints.jsonl".to_owned()));
    (folder, settings)
}

fn verify(folder: &Path, settings: &Settings) -> (i32, Value) {
    let (code, out, error) = call(folder, settings, &["audit", "verify", "--key", "private.key", "--json"]);
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}")))
}

fn edit(folder: &Path, sql: &str) {
    rusqlite::Connection::open(folder.join("data/portcullis.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_killed_servers_events_are_numbered_by_the_next_one_and_edits_are_named() {
    let (folder, settings) = keys();
    let folder = folder.path();
    let first = Process::start(folder, &settings);
    let john = Person::john();
    let _ = first.api.verified(&john).await;
    let _ = first.api.session(&john).await;
    drop(first);
    let second = Process::start(folder, &settings);
    second.stop();
    let (code, report) = verify(folder, &settings);
    assert_eq!((code, &report["intact"], report["unnumbered"].as_u64()), (0, &Value::Bool(true), Some(0)), "{report}");
    assert!(report["numbered"].as_u64().unwrap() >= 2, "{report}");

    openssl_verifies_every_note(folder, &settings);

    edit(folder, "UPDATE audit SET kind = 'logged_in' WHERE number = 2");
    let (code, report) = verify(folder, &settings);
    assert_eq!((code, report["findings"][0]["kind"].as_str()), (1, Some("changed")), "{report}");
    edit(folder, "DELETE FROM audit WHERE number >= 2");
    let (code, report) = verify(folder, &settings);
    assert_eq!((code, report["findings"][0]["kind"].as_str()), (1, Some("cut")), "{report}");
    let arguments = ["audit", "verify", "--key", "private.key", "--checkpoints", "none.jsonl"];
    assert_eq!(call(folder, &settings, &arguments).0, 3, "there is no such file");
    assert_eq!(call(folder, &settings, &["audit", "verify"]).0, 2, "the key is missing");
    let (code, _, error) = call(folder, &[], &["audit", "verify", "--key", "private.key"]);
    assert!(code == 3 && error.contains("AUDIT_VERIFY_KEY"), "{error}");
}

/// Each note that is exported has a signature that openssl verifies with the exported public key.
fn openssl_verifies_every_note(folder: &Path, settings: &Settings) {
    let (code, out, error) = call(folder, settings, &["audit", "export"]);
    assert_eq!(code, 0, "{error}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let key = lines[0]["public_key"].as_str().unwrap();
    std::fs::write(folder.join("signer.pem"), key).unwrap();
    let notes: Vec<&Value> = lines.iter().map(|line| &line["note"]).filter(|note| !note.is_null()).collect();
    assert!(notes.len() >= 2, "a start and a checkpoint");
    for note in &notes {
        let signature = STANDARD.decode(note["signature"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join("signature"), signature).unwrap();
        for (text, right) in [(note["text"].as_str().unwrap().to_owned(), true), (format!("{note} "), false)] {
            std::fs::write(folder.join("text"), text).unwrap();
            let arguments = "pkeyutl -verify -rawin -pubin -inkey signer.pem -in text -sigfile signature";
            let mut openssl = Command::new("openssl");
            let openssl = openssl.args(arguments.split(' ')).current_dir(folder).stdout(Stdio::null());
            assert_eq!(openssl.stderr(Stdio::null()).status().unwrap().success(), right);
        }
    }
    let linked = lines.iter().filter(|line| line["link"]["tag"].is_string()).count();
    assert!(linked >= 2 && !out.contains("john.doe"), "{out}");
    let file = std::fs::read_to_string(folder.join("checkpoints.jsonl")).unwrap();
    assert!(file.lines().count() >= notes.len(), "{file}");
}

#[tokio::test]
async fn without_the_keys_nothing_is_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(folder.path(), &Settings::new());
    let _ = server.api.verified(&Person::john()).await;
    server.stop();
    let db = rusqlite::Connection::open(folder.path().join("data/portcullis.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(count("SELECT count(*) FROM audit") > 0);
    assert_eq!(count("SELECT count(*) FROM audit WHERE chain IS NOT NULL"), 0);
    assert_eq!(count("SELECT count(*) FROM audit_notes"), 0);
}
