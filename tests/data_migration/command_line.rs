//! `portcullis migrate-data` by the real binary.

use portcullis_tests::record_macs;
use std::path::Path;

use portcullis_adapters::sqlite::Sqlite;
use portcullis_tests::process::{Process, call};
use portcullis_tests::{Person, seed_data::seed};

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn moving(folder: &Path, more: &[&str]) -> (i32, String, String) {
    let usual = ["migrate-data", "--from", "DATABASE_URL", "--to", "sqlite://new/p.db"];
    call(folder, &[], &[usual.as_slice(), more].concat())
}

/// A folder that a server has used, with one person in it.
async fn used(folder: &Path) -> Person {
    let (server, person) = (Process::start(folder, &[]), Person::john());
    let _ = server.api.logged_in(&person).await;
    server.stop();
    person
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_can_log_in_after_a_data_migration() {
    let folder = tempfile::tempdir().unwrap();
    let person = used(folder.path()).await;
    let (code, out, error) = moving(folder.path(), &["--dry-run"]);
    assert!(code == 0 && out.contains("users            1") && out.contains("not there yet"), "{out}{error}");
    assert!(!folder.path().join("new").exists());
    let (code, out, error) = moving(folder.path(), &[]);
    assert!(code == 0 && out.contains("copied and compared") && out.contains("users"), "{out}{error}");
    std::fs::copy(folder.path().join("data/secrets.env"), folder.path().join("new/secrets.env")).unwrap();
    let server = Process::start(folder.path(), &[setting("DATABASE_URL", "sqlite://new/p.db")]);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    // the source is as it was, and the target, now in use, can't be filled any more
    let (code, _, error) = moving(folder.path(), &[]);
    assert!(code == 1 && error.contains("--to: ") && error.contains("stop the server first"), "{error}");
    server.stop();
    let (code, _, error) = moving(folder.path(), &["--again"]);
    assert!(code == 1 && error.contains("holds data already"), "{error}");
    let server = Process::start(folder.path(), &[]);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
    let (code, _, error) = moving(folder.path(), &[]);
    assert!(code == 1 && error.contains("--from: ") && error.contains("stop the server first"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_goes_on_and_no_server_starts_meanwhile() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let person = used(folder.path()).await;
    let store =
        Sqlite::open(&folder.path().join("data/portcullis.db"), &record_macs::of_folder(folder.path())).unwrap();
    seed(&store, 0..5_000).await;
    drop(store);
    let mut command = portcullis_tests::process::command(folder.path(), &[]);
    command.args(["migrate-data", "--from", "DATABASE_URL", "--to", "sqlite://new/p.db"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("copying sessions")));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::copy(folder.path().join("data/secrets.env"), folder.path().join("new/secrets.env")).unwrap();
    let (code, _, error) = call(folder.path(), &[setting("DATABASE_URL", "sqlite://new/p.db")], &[]);
    assert!(
        code == 1 && error.contains("unfinished migration") && error.contains("portcullis migrate-data"),
        "{error}"
    );
    let (code, out, error) = moving(folder.path(), &[]);
    assert!(code == 0 && out.contains("continues in ") && !out.contains("copying users"), "{out}{error}");
    let server = Process::start(folder.path(), &[setting("DATABASE_URL", "sqlite://new/p.db")]);
    let _ = server.api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_migration_is_refused_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    let told = |settings: &[(String, String)], from: &str, to: &str| {
        let (code, _, error) = call(folder.path(), settings, &["migrate-data", "--from", from, "--to", to]);
        assert!(code == 1 && error.contains("Fix: "), "{error}");
        error
    };
    assert!(told(&[], "DATABASE_URL", "sqlite://new/p.db").contains("--from: ") && !folder.path().join("new").exists());
    assert!(told(&[], "postgres://u:s3cret@h/d", "MONGO_URL").contains("is no database's URL"));
    assert!(told(&[], "sqlite://a.db", "MONGO_URL").contains("MONGO_URL, which is not set"));
    assert!(!told(&[], "postgres://u:s3cret@h/d", "sqlite://b.db").contains("s3cret"));
    let _ = used(folder.path()).await;
    assert!(told(&[], "DATABASE_URL", "sqlite://data/portcullis.db").contains("the same database"));
    let away = told(&[], "DATABASE_URL", "mongodb://u:s3cret@127.0.0.1:9/?serverSelectionTimeoutMS=200");
    assert!(away.contains("--to: ") && away.contains("user of this machine") && !away.contains("s3cret"), "{away}");
    // another deployment's secrets
    let salt = [setting("EMAIL_SALT", "hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0")];
    assert!(told(&salt, "DATABASE_URL", "sqlite://new/p.db").contains("INDEX_KEY (or EMAIL_SALT): "));
    let elsewhere = tempfile::tempdir().unwrap();
    let _ = used(elsewhere.path()).await;
    std::fs::create_dir_all(folder.path().join("theirs")).unwrap();
    let (theirs, here) = (elsewhere.path().join("data/portcullis.db"), folder.path().join("theirs/p.db"));
    std::fs::copy(theirs, here).unwrap();
    assert!(told(&[], "DATABASE_URL", "sqlite://theirs/p.db").contains("INDEX_KEY (or EMAIL_SALT): "));
    assert_eq!(call(folder.path(), &[], &["migrate-data", "--from", "DATABASE_URL"]).0, 2);
    // the first name of the command
    assert!(call(folder.path(), &[], &["move", "--help"]).1.contains("migrate-data"));
}
