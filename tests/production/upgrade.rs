//! Databases that released schemas wrote, opened by this version. `fixtures/` has one folder for each schema: a database with
//! one account and one pending registration, and its secrets. A fixture never changes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::Person;
use portcullis_tests::process::{Process, call};

/// The folders of the fixtures.
fn fixtures() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("production/fixtures");
    let folders: Vec<PathBuf> = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!folders.is_empty());
    folders
}

/// Puts the database and the secrets of a fixture into the data folder of a new server.
fn unpack(fixture: &Path, folder: &Path) {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let secrets = data.join("secrets.env");
    std::fs::copy(fixture.join("secrets.env"), &secrets).unwrap();
    // git keeps no such mode
    std::fs::set_permissions(secrets, std::fs::Permissions::from_mode(0o600)).unwrap();
    let unpacked = Command::new("gzip").arg("-dc").arg(fixture.join("portcullis.db.gz")).output().unwrap();
    assert!(unpacked.status.success());
    std::fs::write(data.join("portcullis.db"), unpacked.stdout).unwrap();
}

pub async fn a_database_of_each_released_schema_is_opened_and_used() {
    for fixture in fixtures() {
        let folder = tempfile::tempdir().unwrap();
        unpack(&fixture, folder.path());
        let shown = fixture.display();
        let (code, out, error) = call(folder.path(), &[], &["migrate"]);
        assert_eq!(code, 0, "{shown}: {out}{error}");
        let server = Process::start(folder.path(), &[]);
        // the hash is renewed, and the sealed fields open
        let login = server.api.login("ada@example.com", "SecureP@ssw0rd123!").await.expect(200);
        let ada = server.api.with_token(&login.member("access_token"));
        let profile = ada.get("/").await.expect(200).json();
        assert_eq!((&profile["first_name"], &profile["email"]), (&"Ada".into(), &"ada@example.com".into()), "{shown}");
        let _ = ada.get("/sessions").await.expect(200);
        let _ = server.api.refresh(&login.member("refresh_token")).await.expect(200);
        // what is new is written beside what is old
        let _ = server.api.logged_in(&Person::john()).await;
        let taken = server.api.post("/create", &Person::named("ada@example.com").form).await.expect(201);
        assert_eq!(taken.member("email"), "[ENCRYPTED]");
    }
}
