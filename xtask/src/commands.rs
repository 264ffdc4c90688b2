//! Commands that steps run: cargo with the lock file as it is, tools of pinned versions, Python and npm packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// The programs of the repository's own Python environment.
pub const PYTHON: &str = "target/venv/bin";

/// Packages of the system.
///
/// # Errors
/// When one cannot be installed.
pub fn install(missing: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(arguments);
        command
    };
    step("apt-get update", apt(&["update", "-q"]))?;
    step("apt-get install", apt(&[&["install", "-qy", "--no-install-recommends"], missing].concat()))
}

/// The packages of a folder's lock file, installed once for each.
///
/// # Errors
/// When it cannot be installed.
pub fn npm_packages(folder: &Path) -> Result<()> {
    let (lock, seen) = (std::fs::read(folder.join("package-lock.json"))?, folder.join("node_modules/.installed"));
    if std::fs::read(&seen).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
    step(&format!("npm ci in {}", folder.display()), npm)?;
    Ok(std::fs::write(seen, lock)?)
}

/// A program of the repository's own Python environment.
///
/// # Errors
/// When the environment can't be made.
pub fn python(program: &str) -> Result<Command> {
    let programs = std::env::current_dir()?.join(PYTHON);
    if !programs.join("pip").exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "target/venv"]);
        step("python environment", make)?;
    }
    Ok(Command::new(programs.join(program)))
}

/// A cargo tool of that version, installed under `target/tools`; its path.
///
/// # Errors
/// When it can't be installed.
pub fn installed((tool, version): (&str, &str)) -> Result<PathBuf> {
    let tools = std::env::current_dir()?.join("target/tools");
    let program = tools.join("bin").join(tool);
    let list = std::fs::read_to_string(tools.join(".crates.toml")).unwrap_or_default();
    if !program.exists() || !list.contains(&format!("\"{tool} {version} ")) {
        let mut install = cargo(&["install", "--quiet", "--locked", "--version", version, tool, "--root"]);
        install.arg(&tools);
        step(&format!("install {tool} {version}"), install)?;
    }
    Ok(program)
}

/// Commands of cargo that may change the lock file, unless `--locked` forbids it.
const RESOLVING: [&str; 9] = ["bench", "build", "check", "clippy", "doc", "llvm-cov", "metadata", "run", "test"];

/// A cargo command of this toolchain. It takes the dependencies of the lock file and no others.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    let (name, rest) = arguments.split_at(arguments.len().min(1));
    command.args(name);
    if name.iter().any(|name| RESOLVING.contains(name)) && !rest.contains(&"--locked") {
        command.arg("--locked");
    }
    command.args(rest);
    command
}

/// Runs a step and says how long it took.
///
/// # Errors
/// When it fails.
pub fn step(name: &str, mut command: Command) -> Result<()> {
    println!("==> {name}");
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{name} could not be started"))?;
    println!("==> {name}: {status} after {:.0} s", began.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { bail!("{name} failed") }
}

/// A part of the toolchain that a fresh machine may not have.
///
/// # Errors
/// When it can't be installed.
pub fn component(name: &str) -> Result<()> {
    let installed = Command::new("rustup").args(["component", "list", "--installed"]).output();
    let installed = installed.context("rustup is needed")?;
    if String::from_utf8_lossy(&installed.stdout).lines().any(|line| line.starts_with(name)) {
        return Ok(());
    }
    let mut install = Command::new("rustup");
    install.args(["component", "add", name]);
    step(&format!("install {name}"), install)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_takes_the_lock_file_as_it_is() {
        let arguments = |given: &[&str]| {
            cargo(given).get_args().map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(arguments(&["build", "--release"]), ["build", "--locked", "--release"]);
        assert_eq!(arguments(&["test", "--locked"]), ["test", "--locked"]);
        assert_eq!(arguments(&["fmt", "--all"]), ["fmt", "--all"]);
        assert!(cargo(&[]).get_args().next().is_none());
    }

    #[test]
    fn documents_and_scripts_call_cargo_with_the_lock_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files =
            vec!["README.md", "CONTRIBUTING.md", "SECURITY.md", "run", "check", ".ci/run", ".cargo/config.toml"];
        files.extend([
            "docs/integration.md",
            "docs/testing.md",
            "docs/performance.md",
            "docs/key-rotation.md",
            "examples/python/README.md",
        ]);
        let commands = ["build", "check", "run", "test", "install"].map(|name| format!("cargo {name}"));
        for file in files {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            let calls = text.lines().filter(|line| commands.iter().any(|command| line.contains(command)));
            let open: Vec<&str> = calls.filter(|line| !line.contains("--locked")).collect();
            assert!(open.is_empty(), "{file}: {open:?}");
        }
        let alias = std::fs::read_to_string(root.join(".cargo/config.toml")).unwrap();
        assert!(alias.contains("run --quiet --locked"));
    }
}
