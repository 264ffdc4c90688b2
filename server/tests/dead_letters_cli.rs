//! `portcullis dead-letters` in unusual conditions: no store, a running server, many letters.

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

fn outbox(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.env_clear().current_dir(folder).arg("dead-letters").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn open(folder: &Path) -> Arc<Sqlite> {
    std::fs::create_dir_all(folder.join("data")).unwrap();
    Arc::new(Sqlite::open(&folder.join("data/portcullis.db"), &RecordMacs::new(&[(1, [1; 32])]).unwrap()).unwrap())
}

async fn dead_letter(store: &Arc<Sqlite>, number: u8) -> JobId {
    let (id, now) = (JobId::from_bytes([number; 16]), Timestamp::from_millis(1_798_804_800_000 + i64::from(number)));
    let task = Task::Welcome(UserId::from_bytes([number; 16]));
    let jobs =
        vec![Job { id, realm: Realm::parse("User1").unwrap(), task, attempts: 12, created_at: now, trace: None }];
    store.commit(UnitOfWork { jobs, ..UnitOfWork::default() }).await.unwrap().unwrap();
    store.dead_letter(&id, "the mail server refused (550)", now).await.unwrap();
    id
}

#[tokio::test]
async fn all_are_sent_again_at_once_and_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(dead_letter(&store, number).await.to_string());
    }
    drop(store);
    let (code, listed, _) = outbox(folder.path(), &["list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!((code, lines.len()), (0, 3), "{listed}");
    for (line, id) in lines.iter().zip(ids.iter().rev()) {
        for message in [id.as_str(), "User1", "welcome", "12 attempts", "2027-01-01T12:00:00", "(550)"] {
            assert!(line.contains(message), "{message}: {line}");
        }
    }
    let first = ids.first().unwrap();
    assert!(outbox(folder.path(), &["retry", first]).1.starts_with("1 "));
    assert_eq!(outbox(folder.path(), &["show", first]).0, 3);
    assert!(outbox(folder.path(), &["retry", "--all"]).1.starts_with("2 "));
    assert_eq!(outbox(folder.path(), &["list", "--json"]).1.trim(), "[]");
    let depth = open(folder.path()).depth().await.unwrap();
    assert_eq!((depth.waiting, depth.dead), (3, 0));
}

#[tokio::test]
async fn a_server_may_be_running() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path());
    let id = dead_letter(&server, 1).await;
    assert!(outbox(folder.path(), &["list"]).1.contains(&id.to_string()));
    assert!(outbox(folder.path(), &["retry", "--all"]).1.starts_with("1 "));
    // the server sees it, and goes on writing
    let now = Timestamp::from_millis(i64::MAX / 2);
    let claimed = server.claim(now, std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(claimed.id, id);
    server.complete(&id).await.unwrap();
    assert_eq!(outbox(folder.path(), &["list", "--json"]).1.trim(), "[]");
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = outbox(folder.path(), &["list"]);
    assert!(code == 1 && out.is_empty() && error.contains("DATABASE_URL") && error.contains("Fix"), "{out}{error}");
    assert!(!folder.path().join("data/portcullis.db").exists());
}

#[test]
fn a_call_that_means_nothing_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let id = JobId::from_bytes([1; 16]).to_string();
    for call in
        [&[][..], &["lost"], &["list", "--jso"], &["show"], &["show", "job_1"], &["retry"], &["retry", "--all", &id]]
    {
        assert_eq!(outbox(folder.path(), call).0, 2, "{call:?}");
    }
    assert_eq!(outbox(folder.path(), &["--help"]).0, 0);
}
