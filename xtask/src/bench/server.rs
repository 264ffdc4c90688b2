//! The real server, as an operator would run it but for its limits, with made-up users in it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Bench;

const BINARY: &str = "target/release/portcullis";
/// The signing secret; the bare handler checks tokens with it too.
pub const SECRET: &str = "Vt4kQ9sZrX2mLw7uYb3nHc8eGd5jPf6aTq1oRi0x";
/// Of all made-up users.
pub const PASSWORD: &str = "tern-Quartz-58-lantern";

/// The stores of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SQLite in the process.
    Embedded,
    /// MongoDB's protocol, and Redis.
    MongoRedis,
}

impl Backend {
    /// Both backends.
    pub const ALL: [Self; 2] = [Self::Embedded, Self::MongoRedis];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::MongoRedis => "Mongo + Redis",
        }
    }
}

/// How a server is to be.
pub struct Wanted<'a> {
    /// Its purpose: the name of its folder and database.
    pub name: &'a str,
    /// Its stores.
    pub backend: Backend,
    /// Made-up users in it.
    pub users: u64,
    /// Additional settings.
    pub settings: &'a [(&'a str, &'a str)],
}

/// A process that does not outlive the measurement.
pub struct Stopped(pub Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server.
pub struct Server {
    process: Stopped,
    pub port: u16,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

impl Server {
    /// Fills a fresh store and starts a server on it.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn start(bench: &mut Bench, wanted: &Wanted<'_>) -> Result<Self> {
        let folder = bench.folder.join(format!("{}-{:?}", wanted.name, wanted.backend));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let settings = settings(bench, wanted)?;
        if wanted.users > 0 {
            let count = wanted.users.to_string();
            let mut fake = command(&folder, &settings)?;
            fake.args(["users", "fake", "--count", &count, "--password", PASSWORD]).stdout(Stdio::null());
            if !fake.status()?.success() {
                bail!("no made-up users could be made");
            }
        }
        Self::open(folder, settings)
    }

    /// Starts a server on a folder.
    fn open(folder: PathBuf, settings: Vec<(String, String)>) -> Result<Self> {
        let port = free_port()?;
        let mut serve = command(&folder, &settings)?;
        // as it comes: every request is a line
        let log = std::fs::File::create(folder.join("log"))?;
        serve.args(["serve", "--port", &port.to_string()]).stdout(Stdio::null()).stderr(log);
        let mut process = Stopped(serve.spawn()?);
        let began = Instant::now();
        while ask(port, "GET /livez HTTP/1.1\r\n", "").is_err() {
            if began.elapsed() > Duration::from_mins(1) || process.0.try_wait()?.is_some() {
                bail!("the server in {} did not answer", folder.display());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { process, port, folder, settings })
    }

    /// Rewraps every key under the first key of a ring while the server runs: records a second, by its own count.
    ///
    /// # Errors
    /// When it fails, or leaves something.
    pub fn rewrap(&self, ring: &str) -> Result<f64> {
        let mut rewrap = command(&self.folder, &self.settings)?;
        let output = rewrap.args(["keys", "rewrap"]).env("ENCRYPTION_KEY", ring).output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("keys could not be rewrapped: {told}{}", String::from_utf8_lossy(&output.stderr));
        }
        let rate =
            told.lines().filter_map(|line| line.strip_suffix("/s")?.rsplit(' ').next()?.parse().ok()).next_back();
        rate.context("no rate was told")
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The same without the scheme.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Logs the n-th made-up user in: the whole answer.
    ///
    /// # Errors
    /// When that fails.
    pub fn login(&self, number: u64) -> Result<Value> {
        let body = format!("username=fake-{number}@example.org&password={PASSWORD}");
        let head = "POST /User1/login HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        Ok(serde_json::from_str(&ask(self.port, head, &body)?)?)
    }

    /// Members of the answers to the logins of so many users, spread over all there are.
    ///
    /// # Errors
    /// When one fails.
    pub fn tokens(&self, member: &str, count: u64, of: u64) -> Result<Vec<String>> {
        let one = |number: u64| {
            let answer = self.login(1 + number * of.max(1) / count.max(1) % of.max(1))?;
            Ok(answer[member].as_str().context("no token")?.to_owned())
        };
        (0..count).map(one).collect()
    }

    /// Memory that is its own, MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<f64> {
        self.of_proc("smaps_rollup", "Pss:")
    }

    /// The most it ever had, MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn peak(&self) -> Result<f64> {
        self.of_proc("status", "VmHWM:")
    }

    fn of_proc(&self, file: &str, name: &str) -> Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.process.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Bytes in its folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(&self) -> Result<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(self.folder.join("data"))? {
            sum += entry?.metadata()?.len();
        }
        Ok(sum)
    }
}

/// An operator's settings.
fn settings(bench: &mut Bench, wanted: &Wanted<'_>) -> Result<Vec<(String, String)>> {
    let mut settings = vec![
        ("ENVIRONMENT", "development".to_owned()),
        ("JWT_SECRET", SECRET.to_owned()),
        ("RATE_LIMITS", "off".to_owned()),
        ("MAX_CONNECTIONS_PER_ADDRESS", "8192".to_owned()),
    ];
    if wanted.backend == Backend::MongoRedis {
        let (mongo, redis) = bench.services()?;
        let database = format!("bench_{}_{}", wanted.name, std::process::id());
        settings.extend([("MONGO_URL", mongo), ("REDIS_URL", redis), ("MONGO_DB", database)]);
    }
    let besides = wanted.settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Ok(settings.into_iter().chain(besides).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn command(folder: &Path, settings: &[(String, String)]) -> Result<Command> {
    let mut command = Command::new(std::fs::canonicalize(BINARY)?);
    command.env_clear().envs(settings.iter().map(|(name, value)| (name, value))).current_dir(folder);
    Ok(command)
}

/// One request on a connection of its own; the body of a good answer.
pub fn ask(port: u16, head: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(500))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let length = body.len();
    let request = format!("{head}host: bench\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    if head.starts_with("HTTP/1.1 2") { Ok(body.to_owned()) } else { bail!("{answer}") }
}

/// A free port.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
