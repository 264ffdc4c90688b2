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
    let (message, refused) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{message}{refused}"))
}

#[test]
fn a_second_call_makes_the_missing_users() {
    let folder = tempfile::tempdir().unwrap();
    let (done, message) = fake(folder.path(), &[], &["--count", "3"]);
    assert!(done && message.starts_with("3 users made in User1, 0 were there"), "{message}");
    let (done, message) = fake(folder.path(), &[], &["--count", "700"]);
    assert!(done && message.starts_with("697 users made in User1, 3 were there"), "{message}");
    let (done, message) = fake(folder.path(), &[], &["--count", "2", "--realm", "User2"]);
    assert!(done && message.starts_with("2 users made in User2"), "{message}");
    let (done, message) = fake(folder.path(), &[], &["--count", "2", "--realm", "User3"]);
    assert!(!done && message.contains("User1, User2"), "{message}");
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
    let (done, message) = fake(folder.path(), &settings, &["--count", "1"]);
    assert!(!done && message.contains("fake users are for development only"), "{message}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_missing_or_foreign_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let disable = |who: &str, environment: &[(&str, &str)]| {
        users(folder.path(), environment, &["disable", who, "--realm", "User1"])
    };
    let (done, message) = disable("fake-1@example.org", &[]);
    assert!(!done && message.contains("DATABASE_URL") && message.contains("does not exist"), "{message}");
    assert!(!folder.path().join("data/portcullis.db").exists());
    assert!(fake(folder.path(), &[], &["--count", "1"]).0);
    // with another salt no address could be found, and it would look as if there were no such account
    let (done, message) = disable(
        "fake-1@example.org",
        &[("ENVIRONMENT", "development"), ("EMAIL_SALT", "another salt that is long enough to be one 7")],
    );
    assert!(!done && message.contains("EMAIL_SALT") && !message.contains("no such account"), "{message}");
    let (done, message) = disable("FAKE-1@example.org", &[]);
    assert!(done && message.contains("in User1 is disabled: 0 sessions ended"), "{message}");
    // the printed id works as an argument
    let id = message.split_whitespace().next().unwrap();
    let (done, message) = users(folder.path(), &[], &["enable", id, "--realm", "User1"]);
    assert!(done && message.contains("is enabled"), "{message}");
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
