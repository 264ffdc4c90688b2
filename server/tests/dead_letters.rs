//! `portcullis dead-letters` as the person on call types it.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use portcullis_adapters::crypto::record_macs::RecordMacs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use portcullis_adapters::sqlite::Sqlite;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::{Database as _, UnitOfWork};
use portcullis_core::ports::job_queue::JobQueue as _;

fn portcullis(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.env_clear().current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A database with a dead letter.
async fn with_dead_letter(folder: &Path) -> JobId {
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let store =
        Arc::new(Sqlite::open(&folder.join("data/portcullis.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap());
    let id = JobId::from_bytes([7; 16]);
    let realm = Realm::parse("User1").unwrap();
    let now = Timestamp::from_millis(1_798_804_800_000);
    let task = Task::Welcome(UserId::from_bytes([9; 16]));
    let jobs = vec![Job { id, realm, task, attempts: 12, created_at: now, trace: None }];
    store.commit(UnitOfWork { jobs, ..UnitOfWork::default() }).await.unwrap().unwrap();
    store.dead_letter(&id, "the mail server refused (550)", now).await.unwrap();
    id
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let id = with_dead_letter(folder.path()).await.to_string();
    let (code, listed, _) = portcullis(folder.path(), &["dead-letters", "list"]);
    assert_eq!(code, 0);
    assert!(listed.contains(&id) && listed.contains("welcome") && listed.contains("(550)"), "{listed}");
    let (code, json, _) = portcullis(folder.path(), &["dead-letters", "list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json[0]["id"], &json[0]["attempts"]), (0, &serde_json::json!(id), &serde_json::json!(12)));
    let (code, shown, _) = portcullis(folder.path(), &["dead-letters", "show", &id]);
    assert!(code == 0 && shown.contains("usr_0909"), "{shown}");

    let (code, said, _) = portcullis(folder.path(), &["dead-letters", "retry", &id, "--dry-run", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, said), (0, serde_json::json!({"requeued": 1, "dry_run": true})));
    let (code, said, _) = portcullis(folder.path(), &["dead-letters", "retry", &id]);
    assert!(code == 0 && said.starts_with("1 "), "{said}");
    assert_eq!(portcullis(folder.path(), &["dead-letters", "list"]).1.trim(), "no dead letters");
    let (code, _, error) = portcullis(folder.path(), &["dead-letters", "retry", &id]);
    assert!(code == 3 && error.contains("no such dead letter"), "{error}");
    let store =
        Sqlite::open(&folder.path().join("data/portcullis.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap();
    assert_eq!(store.depth().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_wrong_call_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let _ = with_dead_letter(folder.path()).await;
    assert_eq!(portcullis(folder.path(), &["dead-letters"]).0, 2);
    assert_eq!(portcullis(folder.path(), &["dead-letters", "show", "everything"]).0, 2);
    assert_eq!(portcullis(folder.path(), &["dead-letters", "retry"]).0, 2);
    // the first name of the command
    assert_eq!(portcullis(folder.path(), &["outbox", "list"]).0, 0);
}
