//! What outsiders use is built and tested from outside: a crate of its own workspace, the npm package and the pytest
//! fixtures against the binary that has the test kit.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::steps::{cargo, step};

const PYTEST: &str = "pytest==9.2.0";

/// All of them.
///
/// # Errors
/// When one fails.
pub fn run() -> Result<()> {
    outside_crate()?;
    doc_tests()?;
    let binary = binary()?;
    npm(&binary)?;
    pytest(&binary)
}

/// Its own workspace and lock file; what it builds is under our `target/`.
fn outside_crate() -> Result<()> {
    let manifest = "examples/outside-crate/Cargo.toml";
    step("its fmt", cargo(&["fmt", "--check", "--manifest-path", manifest]))?;
    let mut command = cargo(&["test", "--manifest-path", manifest, "--locked"]);
    command.args(["--target-dir", "target/outside-crate"]);
    step("a crate from outside", command)
}

/// `docs/testing.md` and the examples of the kit's own documentation.
fn doc_tests() -> Result<()> {
    step("the kit's examples", cargo(&["test", "--doc", "--package", "portcullis-core", "--features", "testing"]))
}

/// A binary that has the test kit, beside the one that has not.
fn binary() -> Result<PathBuf> {
    let target = std::env::current_dir()?.join("target/testkit");
    let mut command = cargo(&["build", "--package", "portcullis-server", "--features", "testkit", "--target-dir"]);
    command.arg(&target);
    step("the binary with the test kit", command)?;
    Ok(target.join("debug/portcullis"))
}

fn npm(binary: &PathBuf) -> Result<()> {
    let mut command = Command::new("node");
    command.args(["--test", "test/"]).current_dir("testkit/npm").env("PORTCULLIS_BIN", binary);
    step("the npm package against it", command)
}

fn pytest(binary: &PathBuf) -> Result<()> {
    let venv = std::env::current_dir()?.join("target/venv-pytest");
    if !venv.join("bin/pytest").exists() {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        step("python environment", make)?;
        let mut install = Command::new(venv.join("bin/pip"));
        install.args(["install", "-q", PYTEST]);
        step("install pytest", install)?;
    }
    let mut command = Command::new(venv.join("bin/pytest"));
    command.args(["-q", "-p", "no:cacheprovider", "examples/python"]).env("PORTCULLIS_BIN", binary);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    step("the pytest fixtures against it", command)
}
