//! The servers that tests talk to, on loopback: Redis, and one that speaks MongoDB's protocol. What is on the machine
//! already is taken first: `MONGO_TEST_URL` and `REDIS_TEST_URL`, then `mongod` and `redis-server` on the path.
//! Everything they write is under `target/services`.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::one_at_a_time;
use crate::steps::step;

const FOLDER: &str = "target/services";
/// The version that FerretDB wants to be told of itself.
const FERRETDB: &str = "v1.24.2";

/// Running servers; they end with this.
pub struct Services {
    /// Where MongoDB's protocol is spoken.
    pub mongo_url: String,
    /// Where Redis is.
    pub redis_url: String,
    _processes: Vec<Process>,
}

/// A server and the folder of its data, which goes with it.
struct Process {
    child: Child,
    folder: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether a program is there.
#[must_use]
pub fn has(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Where Go is, if it is anywhere.
#[must_use]
pub fn go() -> Option<&'static str> {
    let places = ["go", "/usr/local/go/bin/go", "/usr/lib/go/bin/go"];
    places.into_iter().find(|go| Command::new(go).arg("version").output().is_ok_and(|told| told.status.success()))
}

/// Starts what is not there.
///
/// # Errors
/// When one does not come up.
pub fn start() -> Result<Services> {
    let mut processes = Vec::new();
    let redis_url = match std::env::var("REDIS_TEST_URL") {
        Ok(url) => url,
        Err(_) => redis(&mut processes)?,
    };
    let mongo_url = match std::env::var("MONGO_TEST_URL") {
        Ok(url) => url,
        Err(_) if has("mongod") => mongod(&mut processes)?,
        Err(_) => ferretdb(&mut processes)?,
    };
    Ok(Services { mongo_url, redis_url, _processes: processes })
}

/// Starts them and waits to be stopped.
///
/// # Errors
/// When one does not come up.
pub fn run() -> Result<()> {
    let services = start()?;
    println!("MONGO_TEST_URL={}\nREDIS_TEST_URL={}\n\nCtrl-C ends them.", services.mongo_url, services.redis_url);
    loop {
        std::thread::park();
    }
}

fn redis(processes: &mut Vec<Process>) -> Result<String> {
    let (port, folder) = (free_port()?, fresh("redis")?);
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
    command.arg(&folder);
    processes.push(spawn(command, &folder, port)?);
    Ok(format!("redis://127.0.0.1:{port}"))
}

fn mongod(processes: &mut Vec<Process>) -> Result<String> {
    let (port, folder) = (free_port()?, fresh("mongod")?);
    let mut command = Command::new("mongod");
    command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--dbpath"]).arg(&folder);
    processes.push(spawn(command, &folder, port)?);
    Ok(format!("mongodb://127.0.0.1:{port}"))
}

fn ferretdb(processes: &mut Vec<Process>) -> Result<String> {
    let binary = build_ferretdb()?;
    let (port, folder) = (free_port()?, fresh("ferretdb")?);
    let mut command = Command::new(binary);
    command.arg("--handler=sqlite").arg(format!("--sqlite-url=file:{}/", folder.display()));
    command.arg(format!("--listen-addr=127.0.0.1:{port}")).arg(format!("--state-dir={}", folder.display()));
    command.args(["--telemetry=disable", "--debug-addr=-", "--log-level=error"]);
    processes.push(spawn(command, &folder, port)?);
    let address = one_at_a_time::start(SocketAddr::from(([127, 0, 0, 1], port)))?;
    Ok(format!("mongodb://{address}"))
}

/// Built once, from the module proxy, with checksums of ours.
///
/// # Errors
/// When it does not build.
pub fn build_ferretdb() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let binary = here.join(FOLDER).join("ferretdb");
    if binary.exists() {
        return Ok(binary);
    }
    let go = go().context("Go is needed to build FerretDB")?;
    // a copy, so that nothing is written into the sources
    let folder = here.join(FOLDER).join("ferretdb-source");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    for name in ["go.mod", "go.sum"] {
        std::fs::copy(here.join("xtask/ferretdb").join(name), folder.join(name))?;
    }
    let in_folder = |arguments: &[&str]| {
        let mut command = Command::new(go);
        command.args(arguments).current_dir(&folder);
        command
    };
    step("fetch FerretDB", in_folder(&["mod", "vendor"]))?;
    let version = folder.join("vendor/github.com/FerretDB/FerretDB/build/version/version.txt");
    std::fs::write(version, FERRETDB)?;
    let mut build = in_folder(&["build", "-trimpath", "-o"]);
    // under another name first: an interrupted build must not look like one that is done
    let unfinished = binary.with_extension("unfinished");
    build.arg(&unfinished).arg("github.com/FerretDB/FerretDB/cmd/ferretdb");
    step("build FerretDB", build)?;
    std::fs::rename(&unfinished, &binary)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(binary)
}

fn spawn(mut command: Command, folder: &Path, port: u16) -> Result<Process> {
    let name = command.get_program().to_string_lossy().into_owned();
    let log = std::fs::File::create(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
    let mut process = Process { child, folder: folder.to_owned() };
    let began = Instant::now();
    while TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(200)).is_err() {
        if process.child.try_wait()?.is_some() || began.elapsed() > Duration::from_secs(30) {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            bail!("{name} does not come up: {log}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(process)
}

fn fresh(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_dir()?.join(FOLDER).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
