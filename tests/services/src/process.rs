//! A server process with a folder and a port of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a server may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A server process. Dropping it kills the process and removes its folder.
pub struct Process {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Process {
    /// Starts a program and waits until it listens on the port. Its output goes into `output` in the folder.
    ///
    /// # Errors
    /// When the program does not start or does not listen in time.
    pub fn start(mut command: Command, folder: PathBuf, port: u16) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = std::fs::File::create(folder.join("output"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        let mut process = Self { child, folder, port };
        let began = Instant::now();
        while TcpStream::connect_timeout(&process.address(), Duration::from_millis(200)).is_err() {
            if process.child.try_wait()?.is_some() || began.elapsed() > START_TIMEOUT {
                let output = std::fs::read_to_string(process.folder.join("output")).unwrap_or_default();
                bail!("{name} does not listen on port {port}: {output}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(process)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Kills it as `kill -9` does. Its folder stays until the process is dropped.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new empty folder under `target/services`.
///
/// # Errors
/// When it cannot be made.
pub fn new_folder(root: &Path, name: &str, port: u16) -> Result<PathBuf> {
    let folder = root.join(format!("{name}-{}-{port}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A port that nothing listens on.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
