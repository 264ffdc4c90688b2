//! The real binary: a server that does not outlive its test, and calls of its command line.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::Api;

/// The server's binary, which cargo built beside the tests.
///
/// # Panics
/// When it did not.
#[must_use]
pub fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("a path");
    let built = here.parent().and_then(Path::parent).expect("a target folder").join("portcullis");
    assert!(built.exists(), "{} is missing: cargo build", built.display());
    built
}

/// A call of the binary in a folder, with these settings and nothing of the test's own environment.
#[must_use]
pub fn command(folder: &Path, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).env_clear().env("ENVIRONMENT", "development").envs(settings.iter().cloned());
    command
}

/// Calls the binary. Returns its exit code, and its output on stdout and stderr.
///
/// # Panics
/// When it cannot be called.
#[must_use]
pub fn call(folder: &Path, settings: &[(String, String)], arguments: &[&str]) -> (i32, String, String) {
    let output = command(folder, settings).args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

/// The lines of a server's log.
pub type Log = Lines<BufReader<ChildStderr>>;

/// A server process that does not outlive its test.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Requests to `User1`.
    pub api: Api,
}

impl Process {
    /// Starts one with cheap hashes and no limits, unless the settings say otherwise.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(folder: &Path, settings: &[(String, String)]) -> Self {
        Self::spawn(Self::usual(folder, settings))
    }

    /// The same, with the lines of its log.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with_log(folder: &Path, settings: &[(String, String)]) -> (Self, Log) {
        let mut process = Self::spawn_with(Self::usual(folder, settings), Stdio::piped());
        let log = process.child.stderr.take().expect("a pipe");
        (process, BufReader::new(log).lines())
    }

    fn usual(folder: &Path, settings: &[(String, String)]) -> Command {
        let usual = [
            ("PORT", "0"),
            ("ARGON2_MEMORY_KIB", "64"),
            ("ARGON2_ITERATIONS", "1"),
            ("RATE_LIMITS", "off"),
            ("PUBLIC_URL", "http://auth.example.com"),
        ];
        let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
        command(folder, &[&usual, settings].concat())
    }

    /// Starts a command that runs the server, and waits for its banner.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn spawn(command: Command) -> Self {
        Self::spawn_with(command, Stdio::null())
    }

    fn spawn_with(mut command: Command, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let mut banner = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = banner.find_map(|line| line.ok().filter(|line| line.contains("listens on"))).expect("a banner");
        let address = line.split("://").nth(1).expect("an address").trim().parse().expect("an address");
        Self { child, address, api: Api::new(address, "User1") }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM, and waits until the process has ended.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn stop(self) {
        let _ = self.exit_code();
    }

    /// The same; returns the exit code.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    #[must_use]
    pub fn exit_code(mut self) -> Option<i32> {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        assert!(told.success());
        self.child.wait().ok().and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
