//! The messages that people read before a server runs: help, refused settings, the doctor.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn portcullis(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().current_dir(folder).envs(environment.iter().copied()).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_groups_the_settings_and_names_their_variables() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&portcullis(folder.path(), &[], &["--help"]).stdout);
    for part in ["Server:", "E-mail:", "SMS and calls:", "--port <VALUE>", "[env: PORT]", "[env: JWT_SECRET_FILE]"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    let short = text(&portcullis(folder.path(), &[], &["-h"]).stdout);
    assert!(short.contains("doctor") && short.contains("--help") && !short.contains("--port"), "{short}");
}

#[test]
fn the_doctor_prints_json_when_settings_are_bad() {
    let folder = tempfile::tempdir().unwrap();
    let bad = [("ENVIRONMENT", "development"), ("PORT", "x"), ("REALMS", "health")];
    let output = portcullis(folder.path(), &bad, &["doctor", "--json"]);
    let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), results.len()), (Some(1), 2), "{results:?}");
    for (result, name) in results.iter().zip(["REALMS", "PORT"]) {
        let saw = result["saw"].as_str().unwrap();
        assert!(result["what"] == "settings" && result["ok"] == false && saw.contains(name), "{result}");
        assert!(!result["fix"].as_str().unwrap().is_empty());
    }
    assert!(text(&output.stderr).contains("2 problems were found"));
}

#[test]
fn one_start_reports_every_file_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    std::fs::write(folder.path().join("templates/nothing.html"), "x").unwrap();
    std::fs::write(folder.path().join("breached"), [0xff, 0xfe, b'\n']).unwrap();
    let environment = [
        ("ENVIRONMENT", "development"),
        ("PORT", "0"),
        ("TEMPLATES_DIR", "templates"),
        ("BREACHED_PASSWORDS_FILE", "breached"),
    ];
    let output = portcullis(folder.path(), &environment, &[]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for setting in ["TEMPLATES_DIR: ", "BREACHED_PASSWORDS_FILE: "] {
        let line = message.lines().find(|line| line.contains(setting));
        assert!(line.is_some_and(|line| line.contains("Fix: ")), "{setting} in {message}");
    }
    assert!(!folder.path().join("data/portcullis.db").exists(), "no database is opened before");
}
