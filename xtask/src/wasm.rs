//! The workspace `wasm/`, and the npm package `@portcullis/validators` that is built from it: two modules of its crate,
//! their JavaScript by wasm-bindgen, optimised by wasm-opt, and the hand-written files of `wasm/npm`. The package is
//! written to `target/npm`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::commands::{cargo, npm_packages, step};

/// Where cargo works on the browser build.
const WORKSPACE: &str = "wasm";
const SOURCES: &str = "wasm/npm";
const OUT: &str = "target/npm";
const TARGET: &str = "wasm32-unknown-unknown";
const MODULES: [&str; 2] = ["validators", "strength"];

/// Builds the package and its tarball.
///
/// # Errors
/// When a step fails.
pub fn build() -> Result<()> {
    npm_packages(Path::new(SOURCES))?;
    install_target()?;
    for module in MODULES {
        let mut build = cargo_wasm(&["build", "--locked", "--profile", "wasm", "--package", "portcullis-wasm"]);
        build.args(["--target", TARGET, "--no-default-features", "--features", module]);
        without_paths(&mut build)?;
        step(&format!("compile {module}"), build)?;
        let compiled = format!("{WORKSPACE}/target/{TARGET}/wasm/portcullis_wasm.wasm");
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
    npm_packages(Path::new(SOURCES))?;
    let mut check = Command::new("npm");
    check.args(["run", "--silent", "check"]).current_dir(SOURCES);
    step("check the package", check)
}

/// Builds and opens the applications of `wasm/npm/apps` with the package.
///
/// # Errors
/// When one does not build, or does not do what it should.
pub fn apps() -> Result<()> {
    npm_packages(Path::new(SOURCES))?;
    let mut apps = Command::new("node");
    apps.args(["apps/run.mjs", "../../target/npm"]).current_dir(SOURCES);
    step("applications with the package", apps)
}

/// Checks the package, and that its answers are the server's.
///
/// # Errors
/// When a check fails.
pub fn check() -> Result<()> {
    package()?;
    let mut parity = cargo(&["test", "--package", "portcullis-tests", "--test", "parity"]);
    parity.env("REQUIRE_WASM", "1");
    step("the package answers as the server", parity)
}

/// Formats, lints, documents and tests the workspace `wasm/`, natively and for the browser. Its tests compare the compact
/// Unicode tables with ICU4X.
///
/// # Errors
/// When a check fails.
pub fn workspace() -> Result<()> {
    install_target()?;
    step("fmt of wasm/", cargo_wasm(&["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--locked", "--workspace"];
    let mut native = cargo_wasm(&clippy);
    native.args(["--all-targets", "--", "-D", "warnings"]);
    step("clippy of wasm/", native)?;
    let mut browser = cargo_wasm(&clippy);
    browser.args(["--target", TARGET, "--", "-D", "warnings"]);
    step("clippy of wasm/ for the browser", browser)?;
    let mut docs = cargo_wasm(&["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    step("docs of wasm/", docs)?;
    step("tests of wasm/", cargo_wasm(&["test", "--locked", "--workspace"]))
}

/// A cargo command in the workspace `wasm/`.
fn cargo_wasm(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    // a relative folder of CARGO_TARGET_DIR would be another one here, and the build is read from this one
    command.current_dir(WORKSPACE).env("CARGO_TARGET_DIR", "target");
    command
}

fn install_target() -> Result<()> {
    let mut target = Command::new("rustup");
    target.args(["target", "add", TARGET]);
    step(&format!("install {TARGET}"), target)
}

/// Says nothing of the machine it was built on: panics name their files by paths that are the same everywhere.
fn without_paths(build: &mut Command) -> Result<()> {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    let mut flags = vec![format!("--remap-path-prefix={}=portcullis", std::env::current_dir()?.display())];
    // of the sources of a registry, where there are several
    for registry in std::fs::read_dir(format!("{home}/registry/src"))? {
        flags.push(format!("--remap-path-prefix={}=registry", registry?.path().display()));
    }
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    Ok(())
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
