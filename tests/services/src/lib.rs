//! The real MongoDB and Redis that the tests talk to, on loopback addresses, with everything they write under
//! `target/services`. A server that is named by `MONGO_TEST_URL` or `REDIS_TEST_URL` is used instead of a new one.

pub mod mongodb;
pub mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::mongodb::ReplicaSet;
use crate::process::{Process, free_port, new_folder};

/// Running servers. Dropping this stops them.
pub struct Services {
    /// The connection string of MongoDB.
    pub mongo_url: String,
    /// The URL of Redis.
    pub redis_url: String,
    _set: Option<ReplicaSet>,
    _redis: Option<Process>,
}

impl Services {
    /// Starts Redis and a replica set of `nodes` MongoDB servers, unless the environment names some.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(nodes: usize) -> Result<Self> {
        let root = root();
        std::fs::create_dir_all(&root)?;
        let (redis, redis_url) = if let Ok(url) = std::env::var("REDIS_TEST_URL") {
            (None, url)
        } else {
            let redis = redis(&root)?;
            let url = format!("redis://{}", redis.address());
            (Some(redis), url)
        };
        let (set, mongo_url) = if let Ok(url) = std::env::var("MONGO_TEST_URL") {
            (None, url)
        } else {
            let set = ReplicaSet::start(&root, nodes)?;
            let url = set.url();
            (Some(set), url)
        };
        Ok(Self { mongo_url, redis_url, _set: set, _redis: redis })
    }
}

/// Where services keep their programs and data.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services")
}

/// Whether a program is on the path.
#[must_use]
pub fn has(program: &str) -> bool {
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn redis(root: &Path) -> Result<Process> {
    let port = free_port()?;
    let folder = new_folder(root, "redis", port)?;
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
    command.arg(&folder);
    Process::start(command, folder, port)
}
