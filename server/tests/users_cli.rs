//! `portcullis users fake`: makes as many as there are to be, and none among real people. `disable` and `enable`, beside a
//! running server, are a story in `tests/http/disabled.rs`; here is what stands in their way.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn fake(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    users(folder, environment, &[&["fake"], arguments].concat())
}

fn users(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().env("ARGON2_MEMORY_KIB", "64").env("ARGON2_ITERATIONS", "1").envs(environment.iter().copied());
    let output = command.current_dir(folder).arg("users").args(arguments).output().unwrap();
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
        ("TRUSTED_PROXIES", "none"),
        ("MAIL_SERVER", "mail.example.org"),
        ("MAIL_FROM", "auth@example.org"),
        ("USE_CREDENTIALS", "false"),
        ("ALLOW_UNSAFE", "ARGON2_MEMORY_KIB"),
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

#[test]
fn a_store_that_is_not_there_or_not_ours_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let disable = |who: &str, environment: &[(&str, &str)]| {
        users(folder.path(), environment, &["disable", who, "--realm", "User1"])
    };
    let (done, told) = disable("fake-1@example.org", &[]);
    assert!(!done && told.contains("DATABASE_URL") && told.contains("is not there"), "{told}");
    assert!(!folder.path().join("data/portcullis.db").exists());
    assert!(fake(folder.path(), &[], &["--count", "1"]).0);
    // with another salt no address could be found, and it would look as if there were no such account
    let (done, told) = disable(
        "fake-1@example.org",
        &[("ENVIRONMENT", "development"), ("EMAIL_SALT", "another salt that is long enough to be one 7")],
    );
    assert!(!done && told.contains("EMAIL_SALT") && !told.contains("no such account"), "{told}");
    let (done, told) = disable("FAKE-1@example.org", &[]);
    assert!(done && told.contains("in User1 is disabled: 0 sessions ended"), "{told}");
    // the printed id works as an argument
    let id = told.split_whitespace().next().unwrap();
    let (done, told) = users(folder.path(), &[], &["enable", id, "--realm", "User1"]);
    assert!(done && told.contains("is enabled"), "{told}");
}

#[test]
fn an_address_need_not_stand_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    assert!(fake(folder.path(), &[], &["--count", "1"]).0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().current_dir(folder.path()).args(["users", "disable", "-", "--realm", "User1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"fake-1@example.org\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("is disabled"));
}
