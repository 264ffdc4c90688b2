//! Other people's tools on the OpenAPI document: two linters, and clients that generators make of it. Each client compiles
//! and logs in to the server's binary.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use portcullis_test_services::has;

use crate::commands::{cargo, install, npm_packages, step};
use crate::testkit::{self, python_environment};

const FOLDER: &str = "tests/clients";
/// The documents that the tests leave: of development, and of the test kit.
const DOCUMENTS: [&str; 2] = ["target/openapi.json", "target/openapi-testkit.json"];
/// Packages of the clients in Python.
const PYTHON_PACKAGES: [&str; 6] = [
    "openapi-python-client==0.29.1",
    "Authlib==1.9.10",
    "requests-oauthlib==2.0.0",
    "PyJWT==2.15.1",
    "cryptography==50.0.2",
    "requests==2.34.2",
];

/// The document has nothing that Redocly or Spectral would say something about.
///
/// # Errors
/// For an error or a warning.
pub fn lint() -> Result<()> {
    npm_packages(Path::new(FOLDER))?;
    for document in DOCUMENTS {
        let mut redocly = node_program("redocly")?;
        redocly.args(["lint", "--format=json"]).arg(document);
        redocly.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        let found = redocly.output().context("redocly could not be started")?;
        let report: serde_json::Value = serde_json::from_slice(&found.stdout)
            .with_context(|| format!("redocly on {document}: {}", String::from_utf8_lossy(&found.stderr)))?;
        let problems = report.get("problems").and_then(serde_json::Value::as_array).context("a list of problems")?;
        ensure!(problems.is_empty(), "redocly on {document}: {problems:#?}");
        println!("==> redocly has nothing to say of {document}");
        let mut spectral = node_program("spectral")?;
        spectral.args(["lint", "--fail-severity=hint", "--ruleset"]).arg(format!("{FOLDER}/.spectral.yaml"));
        spectral.arg(document);
        step(&format!("spectral on {document}"), spectral)?;
    }
    Ok(())
}

/// Clients in TypeScript and Python, generated and by hand, log in.
///
/// # Errors
/// When one is not generated, does not compile or can't log in.
pub fn run() -> Result<()> {
    npm_packages(Path::new(FOLDER))?;
    let binary = testkit::binary()?;
    typescript(&binary)?;
    let python = python_environment("target/venv-generators", &PYTHON_PACKAGES)?;
    openapi_python_client(&binary, &python)?;
    for (program, client) in [(python, "oauth_clients.py"), ("node".into(), "oauth_clients.mjs")] {
        let mut command = with_account(&binary);
        command.arg(program).arg(format!("{FOLDER}/{client}"));
        step(client, command)?;
    }
    Ok(())
}

/// Clients in Go and Rust log in, and a fuzzer finds no fault.
///
/// # Errors
/// When one can't, or there is a fault.
pub fn full() -> Result<()> {
    go()?;
    rust()?;
    schemathesis()
}

/// Clients in Go log in: one by hand, and the one that oapi-codegen makes of the document.
fn go() -> Result<()> {
    if !has("go") {
        install(&["golang-go"])?;
    }
    let binary = testkit::binary()?;
    let mut command = with_account(&binary);
    command.args(["go", "run", "-C"]).arg(format!("{FOLDER}/go")).arg(".");
    step("golang.org/x/oauth2 and golang-jwt", command)?;

    let folder = format!("{FOLDER}/oapi-codegen");
    std::fs::create_dir_all(format!("{folder}/portcullis"))?;
    let mut generate = Command::new("go");
    generate.args(["tool", "oapi-codegen", "--config", "config.yaml"]).current_dir(&folder);
    generate.arg(Path::new("../../..").join(DOCUMENTS[0]));
    step("oapi-codegen", generate)?;
    let mut command = with_account(&binary);
    command.args(["go", "run", "-C", &folder, "."]);
    step("the client of oapi-codegen logs in", command)
}

/// The `oauth2` crate logs in.
fn rust() -> Result<()> {
    let manifest = format!("{FOLDER}/rust-oauth2/Cargo.toml");
    let build = cargo(&["build", "--quiet", "--manifest-path", &manifest, "--target-dir", "target/clients/rust"]);
    step("the oauth2 crate", build)?;
    let mut command = with_account(&testkit::binary()?);
    command.arg("target/clients/rust/debug/portcullis-rust-oauth2");
    step("the oauth2 crate logs in", command)
}

/// Requests that the document allows and forbids, for two minutes.
fn schemathesis() -> Result<()> {
    let python = python_environment("target/venv-schemathesis", &["schemathesis==4.32.5", "requests==2.34.2"])?;
    let mut command = with_account(&testkit::binary()?);
    command.arg(&python).arg(format!("{FOLDER}/schemathesis_run.py")).arg(python.with_file_name("schemathesis"));
    step("schemathesis", command)
}

fn node_program(name: &str) -> Result<Command> {
    Ok(Command::new(std::env::current_dir()?.join(FOLDER).join("node_modules/.bin").join(name)))
}

/// A command that finds a running server and an account in its environment.
fn with_account(binary: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(format!("{FOLDER}/with-account.mjs")).env("PORTCULLIS_BIN", binary);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn typescript(binary: &Path) -> Result<()> {
    let folder = format!("{FOLDER}/openapi-typescript");
    let mut generate = node_program("openapi-typescript")?;
    generate.args([DOCUMENTS[0], "-o"]).arg(format!("{folder}/schema.d.ts"));
    step("openapi-typescript", generate)?;
    let mut compile = node_program("tsc")?;
    compile.args(["--project", &folder]);
    step("the types of openapi-typescript compile", compile)?;
    let mut command = with_account(binary);
    command.arg("node").arg(format!("{folder}/build/login.js"));
    step("openapi-fetch logs in", command)
}

fn openapi_python_client(binary: &Path, python: &Path) -> Result<()> {
    let folder = std::env::current_dir()?.join("target/clients/python");
    let package = folder.join("portcullis_client");
    std::fs::create_dir_all(&folder)?;
    let mut generate = Command::new(python.with_file_name("openapi-python-client"));
    generate.args(["generate", "--overwrite", "--fail-on-warning", "--meta", "none", "--path", DOCUMENTS[0]]);
    generate.args(["--config", "tests/clients/openapi-python-client.yaml", "--output-path"]).arg(package);
    step("openapi-python-client", generate)?;
    let document: serde_json::Value = serde_json::from_slice(&std::fs::read(DOCUMENTS[0])?)?;
    let paths = document.get("paths").and_then(serde_json::Value::as_object).context("paths")?;
    let items = paths.values().filter_map(serde_json::Value::as_object);
    let operations = items.flat_map(|item| item.keys().filter(|name| *name != "parameters")).count();
    let mut command = with_account(binary);
    command.arg(python).arg(format!("{FOLDER}/openapi_python_client.py")).arg(folder);
    command.arg(operations.to_string());
    step("openapi-python-client logs in", command)
}
