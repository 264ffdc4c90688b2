//! Starts: time to the first answer, memory when idle, size of the binary. For comparison, the start
//! of an empty process.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Bench;
use super::report::{Goal, Row};
use super::server::Stopped;

const ROUNDS: usize = 7;
const BINARY: &str = "target/release/portcullis";

/// A part of the whole bench.
pub fn section(bench: &mut Bench) -> Result<()> {
    let (mut answers, mut memories, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    let folder = bench.folder.join("startup");
    for _ in 0..ROUNDS {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let began = Instant::now();
        Command::new("true").status()?;
        nothing.push(began.elapsed().as_secs_f64() * 1000.0);
        let (answered, memory) = round(&folder)?;
        answers.push(answered);
        memories.push(memory);
    }
    let first = Row::new("startup", "to the first answer, fresh data", "ms", answers);
    bench.report.add(first.beside("a process that does nothing", nothing).goal(Goal::AtMost(50.0)));
    bench.report.add(Row::new("startup", "idle, no users", "MiB", memories).goal(Goal::AtMost(12.0)));
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mebibytes = std::fs::metadata(BINARY).context("the binary is missing")?.len() as f64 / 1_048_576.0;
    bench.report.add(Row::new("startup", "the binary", "MiB", vec![mebibytes]));
    Ok(())
}

/// One start: milliseconds to the first answer, and MiB of memory of its own a second later.
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
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", child.0.id()))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
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
