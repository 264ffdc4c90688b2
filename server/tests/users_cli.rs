//! `portcullis users fake`: makes as many as there are to be, and none among real people.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::process::Command;

fn fake(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().env("ARGON2_MEMORY_KIB", "64").env("ARGON2_ITERATIONS", "1").envs(environment.iter().copied());
    let output = command.current_dir(folder).args(["users", "fake"]).args(arguments).output().unwrap();
    let (told, refused) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{told}{refused}"))
}

#[test]
fn a_second_call_makes_what_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let (done, told) = fake(folder.path(), &[], &["--count", "3"]);
    assert!(done && told.starts_with("3 users made in User1, 0 were there"), "{told}");
    let (done, told) = fake(folder.path(), &[], &["--count", "700"]);
    assert!(done && told.starts_with("697 users made in User1, 3 were there"), "{told}");
    let (done, told) = fake(folder.path(), &[], &["--count", "2", "--realm", "User2"]);
    assert!(done && told.starts_with("2 users made in User2"), "{told}");
    let (done, told) = fake(folder.path(), &[], &["--count", "2", "--realm", "User3"]);
    assert!(!done && told.contains("User1, User2"), "{told}");
}

/// A production that lacks nothing.
fn production() -> Vec<(String, String)> {
    let made = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(["keys", "generate"]).output().unwrap();
    let secrets = String::from_utf8(made.stdout).unwrap();
    let secrets = secrets.lines().filter_map(|line| line.split_once('='));
    let rest = [
        ("ENVIRONMENT", "production"),
        ("APP_DOMAIN", "auth.example.org"),
        ("MAIL_SERVER", "mail.example.org"),
        ("MAIL_FROM", "auth@example.org"),
        ("USE_CREDENTIALS", "false"),
    ];
    secrets.chain(rest).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn not_among_real_people() {
    let folder = tempfile::tempdir().unwrap();
    let settings = production();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (done, told) = fake(folder.path(), &settings, &["--count", "1"]);
    assert!(!done && told.contains("made-up users have no place"), "{told}");
    assert!(!folder.path().join("data").exists());
}
