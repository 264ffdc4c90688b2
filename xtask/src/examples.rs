//! Runs the clients of `examples/clients` against the test kit: Node and Python at every change, Go and Java in `ci-full`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use portcullis_test_services::has;

use crate::commands::{install, npm_packages, step};
use crate::testkit;

const FOLDER: &str = "examples/clients";

/// The clients in Node and Python.
///
/// # Errors
/// When one can't be installed or fails.
pub fn node_and_python() -> Result<()> {
    npm_packages(&Path::new(FOLDER).join("node"))?;
    let python =
        testkit::python_environment("target/venv-clients", &["-r", "examples/clients/python/requirements.txt"])?;
    run(&["node", "python"], &python)
}

/// The clients in Go and Java.
///
/// # Errors
/// When one can't be installed or fails.
pub fn go_and_java() -> Result<()> {
    let tools = [("go", "golang-go"), ("java", "default-jdk-headless")];
    let missing: Vec<&str> = tools.iter().filter(|(tool, _)| !has(tool)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    run(&["go", "java"], Path::new("python3"))
}

fn run(languages: &[&str], python: &Path) -> Result<()> {
    let mut command = Command::new("node");
    command.arg(Path::new(FOLDER).join("run.mjs")).args(languages);
    command.env("PORTCULLIS_BIN", testkit::binary()?).env("PYTHON", python);
    step(&format!("the example clients: {}", languages.join(", ")), command)
}
