//! Measurements. `startup`: time to the first answer, memory when idle, size of the binary.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::steps::{cargo, step};

const ROUNDS: usize = 7;
const BINARY: &str = "target/release/portcullis";

/// Builds a release and starts it again and again on fresh data.
///
/// # Errors
/// When it does not build or does not answer.
pub fn startup() -> Result<()> {
    step("build", cargo(&["build", "--release", "--package", "portcullis-server"]))?;
    let size = std::fs::metadata(BINARY).context("the binary is missing")?.len();
    let (mut answers, mut memories) = (Vec::new(), Vec::new());
    let folder = Path::new("target/bench-startup");
    for _ in 0..ROUNDS {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder)?;
        let (answered, resident) = round(folder)?;
        answers.push(answered);
        memories.push(resident);
    }
    answers.sort_by(f64::total_cmp);
    memories.sort_by(f64::total_cmp);
    let spread = |of: &[f64]| format!("{:>8.1} {:>8.1} {:>8.1}", of[0], of[of.len() / 2], of[of.len() - 1]);
    println!("\n{ROUNDS} rounds, fresh data each         min   median      max");
    println!("first answer after start, ms   {}", spread(&answers));
    println!("resident when idle, MiB        {}", spread(&memories));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mebibytes = size as f64 / 1_048_576.0;
    println!("release binary, MiB            {mebibytes:>8.1}");
    Ok(())
}

/// One start: milliseconds to the first answer, and MiB of memory a second later.
fn round(folder: &Path) -> Result<(f64, f64)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let began = Instant::now();
    let binary = std::fs::canonicalize(BINARY)?;
    let mut command = Command::new(binary);
    command.args(["serve", "--port", &port.to_string()]).current_dir(folder);
    let mut child = Stopped(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    while ask(port).is_err() {
        if began.elapsed() > Duration::from_secs(20) || child.0.try_wait()?.is_some() {
            bail!("the server did not answer");
        }
    }
    let answered = began.elapsed().as_secs_f64() * 1000.0;
    let settle = Instant::now();
    while settle.elapsed() < Duration::from_secs(1) {
        let _ = ask(port);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok((answered, kib / 1024.0))
}

fn ask(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(200))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { bail!("no answer yet") }
}

/// A process that does not outlive the measurement.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
