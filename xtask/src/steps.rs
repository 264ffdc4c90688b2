//! The steps of CI, cheapest failure first, in two tiers: `ci` guards every change, `ci-full` adds what takes long.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use portcullis_test_services::{Services, has};

use crate::commands::{PYTHON, cargo, component, install, installed, npm_packages, python, step};
use crate::{
    bench, clients, demo, deploy, examples, fuzz, pack_dictionary, reproducible, supply_chain, testkit, unicode,
    viewers, wasm,
};

/// Line coverage of core below this fails.
const CORE_COVERAGE: &str = "90";

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// In `ci` and `ci-full`.
    EveryChange,
    /// In `ci-full` alone: before an issue is called resolved.
    Full,
}

/// A name for error messages, when it runs, and what it does.
type Step = (&'static str, Tier, fn() -> Result<()>);

/// All steps.
const STEPS: &[Step] = &[
    ("setup", Tier::EveryChange, setup),
    ("deny", Tier::EveryChange, supply_chain::deny),
    ("viewers", Tier::EveryChange, viewers::check),
    ("dictionary", Tier::EveryChange, pack_dictionary::check),
    ("unicode", Tier::EveryChange, unicode::check),
    ("demo", Tier::EveryChange, demo::check),
    ("deploy", Tier::EveryChange, deploy::check),
    ("fmt", Tier::EveryChange, fmt),
    ("clippy", Tier::EveryChange, clippy),
    ("docs", Tier::EveryChange, docs),
    ("portable", Tier::EveryChange, portable),
    ("wasm workspace", Tier::EveryChange, wasm::workspace),
    ("wasm", Tier::EveryChange, wasm::build),
    // the tests compare the package's answers with the server's
    ("package", Tier::EveryChange, wasm::package),
    ("test", Tier::EveryChange, test),
    ("testkit", Tier::EveryChange, testkit::run),
    ("examples", Tier::EveryChange, examples::node_and_python),
    ("openapi", Tier::EveryChange, openapi),
    ("openapi linters", Tier::EveryChange, clients::lint),
    ("promtool", Tier::EveryChange, deploy::observability::check_metrics),
    ("clients", Tier::EveryChange, clients::run),
    ("coverage", Tier::EveryChange, coverage),
    ("sbom", Tier::Full, supply_chain::sbom),
    ("published viewers", Tier::Full, viewers::compare),
    ("helm", Tier::Full, deploy::kubernetes::helm),
    ("dist", Tier::Full, deploy::dist::check),
    ("fuzz", Tier::Full, fuzz::run),
    ("examples in Go and Java", Tier::Full, examples::go_and_java),
    ("clients in Go and Rust", Tier::Full, clients::full),
    ("generated secrets", Tier::Full, test_generated_secrets),
    ("one node", Tier::Full, test_on_one_node),
    ("apps", Tier::Full, wasm::apps),
    ("test kit release", Tier::Full, testkit::build),
    ("reproducible", Tier::Full, reproducible::run),
    ("bench", Tier::Full, || bench::run(&["--quick"])),
];

/// The steps that guard every change.
///
/// # Errors
/// At the first step that fails.
pub fn ci() -> Result<()> {
    run_tier(Tier::EveryChange)
}

/// All steps, the long ones too.
///
/// # Errors
/// At the first step that fails.
pub fn ci_full() -> Result<()> {
    run_tier(Tier::Full)
}

fn run_tier(tier: Tier) -> Result<()> {
    let began = Instant::now();
    for (name, _, run) in STEPS.iter().filter(|(_, of, _)| *of == Tier::EveryChange || *of == tier) {
        run().with_context(|| format!("step {name}"))?;
    }
    println!("==> all steps passed after {:.1} min", began.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// Accepts a million generated secrets.
///
/// # Errors
/// When one is refused.
fn test_generated_secrets() -> Result<()> {
    let mut command = cargo(&["test", "--package", "portcullis-server", "--lib", "generated_secrets"]);
    command.env("PROPTEST_CASES", "1000000");
    step("a million generated secrets are accepted", command)
}

/// The contract suite on a replica set of one node.
///
/// # Errors
/// When a case fails.
fn test_on_one_node() -> Result<()> {
    let services = Services::start(1)?;
    let mut command = cargo(&["test", "--package", "portcullis-tests", "--test", "contract"]);
    command.env("REQUIRE_BACKENDS", "fake,embedded,mongo,redis");
    command.env("MONGO_TEST_URL", &services.mongo_url).env("REDIS_TEST_URL", &services.redis_url);
    step("the contract suite on one node", command)
}

/// Installs the tools that the tests need: a browser, Node and Python for clients and the npm packages, Python for a
/// validator, Redis, and the libraries of `mongod`.
///
/// # Errors
/// When something cannot be installed.
pub fn setup() -> Result<()> {
    let venv =
        Command::new("python3").args(["-c", "import ensurepip"]).output().is_ok_and(|output| output.status.success());
    let mut missing = Vec::new();
    if !has("chromium") {
        missing.push("chromium");
    }
    if !has("node") {
        missing.push("nodejs");
    }
    if !has("oathtool") {
        missing.push("oathtool");
    }
    if !has("npm") {
        missing.push("npm");
    }
    if !venv {
        missing.extend(["python3", "python3-venv"]);
    }
    missing.extend(deploy::missing_packages());
    if std::env::var_os("REDIS_TEST_URL").is_none() && !has("redis-server") {
        missing.push("redis-server");
    }
    if std::env::var_os("MONGO_TEST_URL").is_none() {
        let libraries = ["libcurl.so.4", "liblzma.so.5"].into_iter().zip(["libcurl4", "liblzma5"]);
        let known = Command::new("/sbin/ldconfig").arg("-p").output().map(|output| output.stdout).unwrap_or_default();
        let known = String::from_utf8_lossy(&known).into_owned();
        missing.extend(libraries.filter(|(file, _)| !known.contains(file)).map(|(_, package)| package));
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    npm_packages(Path::new("tests/browser"))
}

/// The OpenAPI document is valid, says a validator that is not ours.
///
/// # Errors
/// When it is not.
pub fn openapi() -> Result<()> {
    if !Path::new(PYTHON).join("openapi-spec-validator").exists() {
        let mut install = python("pip")?;
        install.args(["install", "-q", "openapi-spec-validator==0.9.0"]);
        step("install openapi-spec-validator", install)?;
    }
    let mut validate = python("openapi-spec-validator")?;
    validate.args(["--schema", "3.1", "target/openapi.json", "target/openapi-testkit.json"]);
    step("openapi is valid 3.1", validate)
}

/// The code is formatted.
///
/// # Errors
/// When it is not.
pub fn fmt() -> Result<()> {
    component("rustfmt")?;
    step("fmt", cargo(&["fmt", "--all", "--check"]))
}

/// No lint has anything to say.
///
/// # Errors
/// When one has.
pub fn clippy() -> Result<()> {
    component("clippy")?;
    step("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The documentation builds, that of private items too.
///
/// # Errors
/// When it does not.
pub fn docs() -> Result<()> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    step("docs", command)
}

/// Core compiles for the browser.
///
/// # Errors
/// When it does not.
pub fn portable() -> Result<()> {
    let mut target = Command::new("rustup");
    target.args(["target", "add", "wasm32-unknown-unknown"]);
    step("install wasm32-unknown-unknown", target)?;
    step(
        "core for the browser",
        cargo(&["check", "--package", "portcullis-core", "--target", "wasm32-unknown-unknown"]),
    )
}

/// All tests, on all backends there must be.
///
/// # Errors
/// When one fails.
pub fn test() -> Result<()> {
    let services = Services::start(3)?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("REQUIRE_WASM", "1").env("REQUIRE_PRODUCTION", "proxies,mongo");
    command.env("REQUIRE_BACKENDS", "fake,embedded,mongo,redis");
    command.env("MONGO_TEST_URL", &services.mongo_url).env("REDIS_TEST_URL", &services.redis_url);
    step("test", command)?;
    let mut stories = cargo(&["test", "--package", "portcullis-tests", "--test", "http", "--no-fail-fast"]);
    stories.env("TEST_DEPLOYMENT", "mongo");
    stories.env("MONGO_TEST_URL", &services.mongo_url).env("REDIS_TEST_URL", &services.redis_url);
    step("the stories over MongoDB and Redis", stories)
}

/// Starts MongoDB and Redis, prints their addresses and waits to be stopped.
///
/// # Errors
/// When one does not start.
pub fn services() -> Result<()> {
    setup()?;
    let services = Services::start(3)?;
    println!("MONGO_TEST_URL='{}'\nREDIS_TEST_URL='{}'\n\nCtrl-C stops them.", services.mongo_url, services.redis_url);
    loop {
        std::thread::park();
    }
}

/// Line coverage of core by its own tests.
///
/// # Errors
/// When it is too low.
pub fn coverage() -> Result<()> {
    component("llvm-tools")?;
    let tools = installed(("cargo-llvm-cov", "0.9.1"))?;
    let tools = tools.parent().context("a folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = cargo(&["llvm-cov", "--package", "portcullis-core", "--summary-only"]);
    command.args(["--ignore-filename-regex", "(testkit|tests)/", "--fail-under-lines", CORE_COVERAGE]);
    command.env("PATH", format!("{}:{path}", tools.display()));
    step("coverage of core", command)
}
