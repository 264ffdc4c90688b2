//! The npm package `@portcullis/validators`: two modules of the wasm crate, their JavaScript by wasm-bindgen, small by
//! wasm-opt, and what is written by hand in `wasm/npm`. Everything lands in `target/npm`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::steps::{cargo, npm_packages, step};

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
    let mut target = Command::new("rustup");
    target.args(["target", "add", TARGET]);
    step("install wasm32-unknown-unknown", target)?;
    for module in MODULES {
        let build =
            ["build", "--profile", "wasm", "--package", "portcullis-wasm", "--target", TARGET, "--no-default-features"];
        let mut build = cargo(&build);
        build.args(["--features", module]);
        without_paths(&mut build)?;
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
    npm_packages(Path::new(SOURCES))?;
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
