//! The load generator, Debian's wrk with scripts of ours, and the bench binary, which measures the upper bounds.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::server::{Server, Stopped, free_port};
use crate::commands::install;

/// Programs of others and of ours.
pub struct Tools {
    bench: PathBuf,
    scratch: PathBuf,
}

/// A load: whom, how, and for how long.
pub struct Load<'a> {
    /// The whole URL.
    pub url: String,
    /// The name of a script under bench/wrk.
    pub script: &'a str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Connections.
    pub connections: u32,
    /// Whether each has a thread of its own, for scripts that remember what was answered.
    pub a_thread_each: bool,
    /// Seconds.
    pub seconds: u32,
}

impl Tools {
    /// Installs wrk where it is missing.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn find(scratch: &Path) -> Result<Self> {
        // it has no flag that succeeds: that it can be started is enough
        if Command::new("wrk").arg("--version").output().is_err() {
            install(&["wrk"])?;
        }
        let bench = std::env::current_dir()?.join("target/release/portcullis-bench");
        Ok(Self { bench, scratch: scratch.to_owned() })
    }

    /// The output of the bench binary.
    ///
    /// # Errors
    /// When it fails.
    pub fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.bench).args(arguments).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("portcullis-bench {arguments:?} failed");
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts the bench binary, whose output is one value.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        Ok(Command::new(&self.bench).args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?)
    }

    /// Bare hashes a second on all cores.
    ///
    /// # Errors
    /// When it fails.
    pub fn hashes(&self, seconds: u32) -> Result<f64> {
        let cores = std::thread::available_parallelism()?.to_string();
        number(&self.ask(&["hash", &cores, &seconds.to_string()])?, "rate")
    }

    /// Bare writes a second, so many to a commit.
    ///
    /// # Errors
    /// When it fails.
    pub fn writes(&self, group: u32, seconds: u32) -> Result<f64> {
        let folder = self.scratch.to_string_lossy();
        number(&self.ask(&["writes", &folder, &group.to_string(), &seconds.to_string()])?, "rate")
    }

    /// Bare changes of documents a second on a server of MongoDB's protocol, so many at once.
    ///
    /// # Errors
    /// When it fails.
    pub fn mongo_writes(&self, url: &str, tasks: u32, seconds: u32) -> Result<f64> {
        number(&self.ask(&["mongo-writes", url, &tasks.to_string(), &seconds.to_string()])?, "rate")
    }

    /// A bare handler that checks the tokens of a server.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn bare(&self, of: &Server, redis: Option<&str>) -> Result<Bare> {
        let port = free_port()?;
        let mut command = Command::new(&self.bench);
        command.args(["serve", &port.to_string(), super::server::SECRET, &format!("{}/User1", of.url())]).args(redis);
        let process = Stopped(command.stdout(Stdio::null()).spawn()?);
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                bail!("the bare handler does not come up");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Bare { port, _process: process })
    }

    /// A file for a script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, lines: &[String]) -> Result<String> {
        let path = self.scratch.join(name);
        std::fs::write(&path, lines.join("\n"))?;
        Ok(path.to_string_lossy().into_owned())
    }
}

/// A bare handler while it runs.
pub struct Bare {
    port: u16,
    _process: Stopped,
}

impl Bare {
    /// Where it answers.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Runs wrk.
///
/// # Errors
/// When it fails, or something was refused.
pub fn wrk(load: &Load<'_>) -> Result<Value> {
    result(begin(load)?)
}

/// Starts the load and returns at once, so that the caller can work meanwhile.
///
/// # Errors
/// When it does not start.
pub fn begin(load: &Load<'_>) -> Result<Child> {
    let Load { url, script, arguments, connections, a_thread_each, seconds } = load;
    // one alone could be slower than what it measures
    let threads = if *a_thread_each { *connections } else { 2 };
    let mut command = Command::new("wrk");
    command.args(["-t", &threads.to_string(), "-c", &connections.to_string(), "-d", &format!("{seconds}s")]);
    command.args(["--timeout", "30s", "-s", &format!("bench/wrk/{script}.lua"), url, "--"]).args(arguments);
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

/// The results of wrk, once it is done.
///
/// # Errors
/// When it failed, or something was refused.
pub fn result(child: Child) -> Result<Value> {
    let found = counted(child)?;
    if found["refused"] != 0 || found["broken"] != 0 {
        bail!("wrk was refused: {found}");
    }
    Ok(found)
}

/// The same, of a load that may be refused: `refused` and `broken` say how much of it was.
///
/// # Errors
/// When nothing was asked.
pub fn counted(child: Child) -> Result<Value> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT ")).with_context(|| text.clone().into_owned())?;
    let found: Value = serde_json::from_str(line)?;
    ensure!(found["requests"] != 0, "wrk asked nothing: {found}");
    Ok(found)
}

/// A member that is a number.
///
/// # Errors
/// When it is none.
pub fn number(of: &Value, member: &str) -> Result<f64> {
    of[member].as_f64().with_context(|| format!("no {member} in {of}"))
}
