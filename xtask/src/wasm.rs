//! The npm package `@portcullis/validators`: two modules of the wasm crate, their JavaScript by wasm-bindgen, small by
//! wasm-opt, and what is written by hand in `wasm/npm`. Everything lands in `target/npm`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::steps::{cargo, step};

const SOURCES: &str = "wasm/npm";
const OUT: &str = "target/npm";
const TARGET: &str = "wasm32-unknown-unknown";
const MODULES: [&str; 2] = ["validators", "strength"];

/// Builds the package and its tarball.
///
/// # Errors
/// When a step fails.
pub fn build() -> Result<()> {
    install()?;
    let mut target = Command::new("rustup");
    target.args(["target", "add", TARGET]);
    step("install wasm32-unknown-unknown", target)?;
    for module in MODULES {
        let build =
            ["build", "--profile", "wasm", "--package", "portcullis-wasm", "--target", TARGET, "--no-default-features"];
        let mut build = cargo(&build);
        build.args(["--features", module]);
        step(&format!("compile {module}"), build)?;
        let compiled = format!("target/{TARGET}/wasm/portcullis_wasm.wasm");
        let kept = format!("{OUT}/{module}.wasm");
        std::fs::create_dir_all(OUT)?;
        std::fs::copy(&compiled, &kept).context(compiled)?;
        let mut bind = cargo(&["run", "--quiet", "--package", "portcullis-xtask", "--features", "bindgen", "--"]);
        bind.args(["wasm", "bind", module, &kept, &format!("{OUT}/glue")]);
        // beside the xtask that runs: its own file cannot be replaced while it does
        bind.env("CARGO_TARGET_DIR", "target/bindgen");
        step(&format!("bind {module}"), bind)?;
    }
    let mut assemble = Command::new("node");
    assemble.args(["tools/assemble.mjs", "../../target/npm"]).current_dir(SOURCES);
    step("assemble the package", assemble)
}

/// Sizes, times, types, frameworks, the element.
///
/// # Errors
/// When one is not as it must be.
pub fn package() -> Result<()> {
    install()?;
    let mut check = Command::new("npm");
    check.args(["run", "--silent", "check"]).current_dir(SOURCES);
    step("check the package", check)
}

/// The package, and that its verdicts are the server's.
///
/// # Errors
/// When one is not as it must be.
pub fn check() -> Result<()> {
    package()?;
    let mut parity = cargo(&["test", "--package", "portcullis-wasm", "--test", "parity"]);
    parity.env("REQUIRE_WASM", "1");
    step("the same verdicts in the browser", parity)
}

/// Tools from the lock file, once for each.
fn install() -> Result<()> {
    let lock = Path::new(SOURCES).join("package-lock.json");
    let (lock, seen) = (std::fs::read(lock)?, Path::new(SOURCES).join("node_modules/.installed"));
    if std::fs::read(&seen).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(SOURCES);
    step("npm ci", npm)?;
    Ok(std::fs::write(seen, lock)?)
}

/// Writes a module's JavaScript.
///
/// # Errors
/// When wasm-bindgen has something against it.
#[cfg(feature = "bindgen")]
pub fn bind(module: &str, input: &str, output: &str) -> Result<()> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(input).out_name(module).typescript(false).omit_default_module_path(true);
    bindgen.web(true)?.generate(output)
}
