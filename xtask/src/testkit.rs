//! Builds and tests the parts that other projects use, from outside: a crate of its own workspace, the npm package and
//! the pytest fixtures against the binary that has the test kit; and that a default build has none of it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::commands::{cargo, step};

const ARTEFACT: &str = "portcullis-testkit";
const PYTEST: &str = "pytest==9.2.0";

/// All of them.
///
/// # Errors
/// When one fails.
pub fn run() -> Result<()> {
    default_build_has_none()?;
    outside_crate()?;
    let binary = binary()?;
    npm(&binary)?;
    pytest(&binary)
}

/// The release artefact for testers, beside the production binary of the same folder and never in its place: a binary
/// of another name, which can be nothing else.
///
/// # Errors
/// When it cannot be built.
pub fn build() -> Result<()> {
    let mut command = cargo(&["build", "--release", "--package", "portcullis-server", "--bin", ARTEFACT]);
    command.args(["--features", "testkit"]);
    step("the test kit as a release", command)?;
    println!("{}", std::env::current_dir()?.join("target/release").join(ARTEFACT).display());
    Ok(())
}

/// A build with default features has no test kit. The tests inspect the binary; a debug build suffices, because only the
/// feature decides.
fn default_build_has_none() -> Result<()> {
    step("a default build has no test kit", cargo(&["test", "--package", "portcullis-server", "--test", "testkit_cli"]))
}

/// Its own workspace and lock file; what it builds is under our `target/`.
fn outside_crate() -> Result<()> {
    let manifest = "examples/outside-crate/Cargo.toml";
    step("its fmt", cargo(&["fmt", "--check", "--manifest-path", manifest]))?;
    let mut command = cargo(&["test", "--manifest-path", manifest, "--locked"]);
    command.args(["--target-dir", "target/outside-crate"]);
    step("a crate from outside", command)
}

/// The binary that has the test kit: the one that the workspace's tests are run with, so that nothing is built twice.
///
/// # Errors
/// When it cannot be built.
pub fn binary() -> Result<PathBuf> {
    step("the binary with the test kit", cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    Ok(std::env::current_dir()?.join("target/debug/portcullis"))
}

fn npm(binary: &PathBuf) -> Result<()> {
    let mut command = Command::new("node");
    command.args(["--test", "test/"]).current_dir("testkit/npm").env("PORTCULLIS_BIN", binary);
    step("the npm package against it", command)
}

fn pytest(binary: &PathBuf) -> Result<()> {
    let python = python_environment("target/venv-pytest", &[PYTEST])?;
    let mut command = Command::new(python.with_file_name("pytest"));
    command.args(["-q", "-p", "no:cacheprovider", "examples/python"]).env("PORTCULLIS_BIN", binary);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    step("the pytest fixtures against it", command)
}

/// A Python environment of its own with these packages; the path of its interpreter.
///
/// # Errors
/// When it can't be made.
pub fn python_environment(folder: &str, packages: &[&str]) -> Result<PathBuf> {
    let (venv, stamp) = (std::env::current_dir()?.join(folder), format!("{folder}/installed"));
    let wanted = packages.join(" ");
    if !std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        step("python environment", make)?;
        let mut install = Command::new(venv.join("bin/pip"));
        install.args(["install", "-q"]).args(packages);
        step(&format!("install {wanted}"), install)?;
        std::fs::write(stamp, wanted)?;
    }
    Ok(venv.join("bin/python"))
}
