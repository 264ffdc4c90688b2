//! `portcullis testkit` exists with the cargo feature `testkit` and leaves no trace without it. `cargo xtask testkit` runs
//! this file twice, with the feature and without.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests stop at the first surprise")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_portcullis");

/// A process that does not outlive its test.
struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it, and reads its address from the first line that has one.
fn start(binary: &str, folder: &Path, arguments: &[&str]) -> Running {
    let mut command = Command::new(binary);
    command.env_clear().current_dir(folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("http://")).expect("an address");
    let address = line.split("http://").nth(1).unwrap().trim();
    let address = address.split(['"', '/']).next().unwrap().to_owned();
    Running { child, address }
}

fn get(running: &Running, path: &str) -> String {
    let mut stream = TcpStream::connect(&running.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Whether the file of the binary says so anywhere.
fn says(words: &str) -> bool {
    std::fs::read(BINARY).unwrap().windows(words.len()).any(|window| window == words.as_bytes())
}

#[cfg(feature = "testkit")]
mod with_it {
    use super::*;

    #[test]
    fn a_build_with_the_feature_has_the_command_and_the_control_plane() {
        let folder = tempfile::tempdir().unwrap();
        let kit = start(BINARY, folder.path(), &["testkit"]);
        assert!(get(&kit, "/__test__/clock").starts_with("HTTP/1.1 200"));
        assert!(get(&kit, "/openapi.json").contains("/__test__/clock"));
        // what the other half of this file looks for is found where it is
        assert!(says("/__test__/clock") && says("the test kit does not run in production"));
        assert!(says("It stands still until it is moved."));
        // it keeps nothing
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_help_of_the_test_kit_shows_its_own_defaults() {
        let ask = |arguments: &[&str]| Command::new(BINARY).env_clear().args(arguments).output().unwrap();
        let help = String::from_utf8(ask(&["testkit", "--help"]).stdout).unwrap();
        assert!(help.contains("0 takes a free one [default: 0]") && help.contains("--rate-limits"), "{help}");
        for absent in ["--database-url", "--mongo-db", "--redis-host", "--argon2-iterations", "--hash-threads"] {
            assert!(!help.contains(absent), "{absent}");
            assert_eq!(ask(&["testkit", absent, "1"]).status.code(), Some(2), "{absent}");
        }
    }

    #[test]
    fn serve_has_no_control_plane_in_a_binary_with_the_test_kit() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(BINARY, folder.path(), &["serve", "--port", "0"]);
        assert!(get(&server, "/__test__/clock").starts_with("HTTP/1.1 404"));
        assert!(!get(&server, "/openapi.json").contains("__test__"));
    }

    /// Whether it is refused, as real people's, by one place among three.
    fn refused(dotenv: &str, environment: &[(&str, &str)], arguments: &[&str]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), dotenv).unwrap();
        let mut command = Command::new(BINARY);
        command.env_clear().current_dir(folder.path()).envs(environment.iter().copied()).arg("testkit").args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut message = String::new();
        // one that starts says so at once, and would go on
        let started = BufReader::new(child.stdout.take().unwrap()).read_line(&mut message).unwrap() > 0;
        let _ = child.kill();
        let status = child.wait().unwrap();
        let mut why = String::new();
        child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
        assert!(started != why.contains("does not run in production"), "{message}{why}");
        assert!(started || status.code() == Some(1), "{status}");
        !started
    }

    #[test]
    fn production_is_refused_wherever_it_is_written() {
        let production = [("ENVIRONMENT", "production")];
        assert!(refused("", &production, &[]));
        assert!(refused("", &[], &["--environment", "production"]));
        assert!(refused("ENVIRONMENT=production\n", &[], &[]));
        assert!(refused("\u{feff}JWT_SECRET=x\nexport ENVIRONMENT='Production' # real\n", &[], &[]));
        // none of the three outweighs another
        assert!(refused("ENVIRONMENT=production\n", &[("ENVIRONMENT", "development")], &[]));
        assert!(refused("", &production, &["--environment", "development"]));
        assert!(refused("what is this\nENVIRONMENT=production\n", &[], &["--environment", "development"]));
        // and whatever else is in the file counts for nothing
        assert!(!refused("ENVIRONMENT=development\nPORT=1\nno line of ours\n", &[], &[]));
        assert!(!refused("# ENVIRONMENT=production\n", &[], &[]));
    }

    #[test]
    fn the_binary_of_its_own_can_be_nothing_else() {
        let binary = env!("CARGO_BIN_EXE_portcullis-testkit");
        let folder = tempfile::tempdir().unwrap();
        for arguments in [&["--seed", "3"][..], &["testkit", "--port", "0"]] {
            assert!(get(&start(binary, folder.path(), arguments), "/__test__/clock").starts_with("HTTP/1.1 200"));
        }
        for command in ["serve", "keys", "users", "migrate-data"] {
            let output = Command::new(binary).env_clear().current_dir(folder.path()).arg(command).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{command}");
        }
    }
}

#[cfg(not(feature = "testkit"))]
mod without_it {
    use super::*;

    #[test]
    fn the_command_is_not_known() {
        let output = Command::new(BINARY).env_clear().arg("testkit").output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && why.contains("unrecognized subcommand 'testkit'"), "{why}");
        let help = Command::new(BINARY).env_clear().arg("--help").output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout);
        assert!(help.contains("serve") && !help.contains("testkit"), "{help}");
    }

    #[test]
    fn nothing_answers_and_nothing_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let server = start(BINARY, folder.path(), &["serve", "--port", "0"]);
        assert!(get(&server, "/livez").starts_with("HTTP/1.1 200"));
        assert!(get(&server, "/__test__/clock").starts_with("HTTP/1.1 404"));
        let document = get(&server, "/openapi.json");
        assert!(document.contains("/livez") && !document.contains("__test__") && !document.contains("TestClock"));
    }

    #[test]
    fn a_default_build_contains_no_text_of_the_test_kit() {
        assert!(says("/livez"));
        // `__test__` alone is: no realm may be called so
        for words in
            ["/__test__/clock", "the test kit does not run in production", "It stands still until it is moved."]
        {
            assert!(!says(words), "{words}");
        }
    }
}
