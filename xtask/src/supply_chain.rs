//! The parts of the binary: the rules for dependencies, known vulnerabilities, and a bill of materials.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::commands::{cargo, installed, python, step};

/// Workspaces with a lock file of their own.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "wasm/Cargo.toml"];
const DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const CYCLONEDX: (&str, &str) = ("cargo-cyclonedx", "0.5.9");
/// The library that has the JSON schemas of `CycloneDX`.
const VALIDATOR: &str = "cyclonedx-python-lib[json-validation]==11.12.0";
const SPECIFICATION: &str = "1.5";
/// The bill of materials of the server.
const SBOM: &str = "target/sbom/portcullis.cdx.json";

/// Licences, forbidden crates and sources are as `deny.toml` says.
///
/// # Errors
/// When one is not.
pub fn deny() -> Result<()> {
    for manifest in WORKSPACES {
        let check = cargo_deny(manifest, &["licenses", "bans", "sources"])?;
        step(&format!("dependencies of {manifest}"), check)?;
    }
    Ok(())
}

/// No dependency has a known vulnerability. Needs the advisory database of `RustSec`.
///
/// # Errors
/// When one has, and also when the database can't be reached: then the check was not run.
pub fn advisories() -> Result<()> {
    for manifest in WORKSPACES {
        let output = cargo_deny(manifest, &["advisories"])?.output().context("cargo-deny could not be started")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        eprint!("{said}");
        if said.contains("failed to fetch advisory database") || said.contains("failed to load advisory database") {
            bail!("NOT RUN: the advisory database can't be reached, so nothing is known about vulnerabilities");
        }
        if !output.status.success() {
            bail!("{manifest} has a dependency with an advisory");
        }
    }
    println!("==> no dependency has an advisory");
    Ok(())
}

fn cargo_deny(manifest: &str, checks: &[&str]) -> Result<Command> {
    let program = installed(DENY)?;
    let mut command = Command::new(program);
    command.args(["--locked", "--manifest-path", manifest, "--config", "deny.toml", "check"]).args(checks);
    Ok(command)
}

/// Writes the bill of materials of the server in the format of `CycloneDX`, and validates it.
///
/// # Errors
/// When it can't be made or is not valid.
pub fn sbom() -> Result<()> {
    let program = installed(CYCLONEDX)?;
    let mut make = Command::new(program);
    make.args(["cyclonedx", "--manifest-path", "server/Cargo.toml", "--format", "json", "--target", "all"]);
    make.args(["--spec-version", SPECIFICATION, "--override-filename", "portcullis.cdx"]);
    // dates and serial numbers would make each one different
    make.env("SOURCE_DATE_EPOCH", "0");
    step("bill of materials", make)?;
    let written = remove_other_bills()?;
    // the bill is the same on every machine
    let here = format!("file://{}", std::env::current_dir()?.display());
    let text = std::fs::read_to_string(&written)?.replace(&here, "file://");
    let mut bill: Value = serde_json::from_str(&text)?;
    std::fs::remove_file(&written)?;
    if let Some(bill) = bill.as_object_mut() {
        bill.remove("serialNumber");
    }
    let components = bill["components"].as_array().map_or(0, Vec::len);
    if components < 100 {
        bail!("the bill of materials has only {components} components");
    }
    if let Some(listed) = bill["components"].as_array_mut() {
        listed.extend(crate::viewers::components());
    }
    std::fs::create_dir_all(Path::new(SBOM).parent().unwrap_or(Path::new(".")))?;
    std::fs::write(SBOM, serde_json::to_vec_pretty(&bill)?)?;
    validate()?;
    println!("==> {SBOM}: {components} crates and the bundled scripts");
    Ok(())
}

/// Removes the bills of the other packages, which cargo-cyclonedx writes too; the path of the server's.
fn remove_other_bills() -> Result<PathBuf> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]).output()?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let folders = metadata["packages"].as_array().into_iter().flatten().filter_map(|package| {
        Some(Path::new(package["manifest_path"].as_str()?).with_file_name("portcullis.cdx.json"))
    });
    let mut server = None;
    for bill in folders.filter(|bill| bill.exists()) {
        if bill.parent().is_some_and(|folder| folder.ends_with("server")) {
            server = Some(bill);
        } else {
            std::fs::remove_file(bill)?;
        }
    }
    server.context("cargo-cyclonedx wrote no bill of the server")
}

fn validate() -> Result<()> {
    let mut install = python("pip")?;
    install.args(["install", "--quiet", VALIDATOR]);
    step("install the validator of CycloneDX", install)?;
    let script = format!(
        "import sys\n\
         from cyclonedx.schema import SchemaVersion\n\
         from cyclonedx.validation.json import JsonStrictValidator\n\
         fault = JsonStrictValidator(SchemaVersion.V{}).validate_str(open('{SBOM}').read())\n\
         sys.exit(repr(fault)[:2000] if fault else 0)\n",
        SPECIFICATION.replace('.', "_")
    );
    let mut validate = python("python")?;
    validate.args(["-c", &script]);
    step("the bill of materials is valid", validate)
}

/// A component of the bill that is no crate.
pub fn npm_component(package: &str, version: &str, licence: &str, sha256: &str) -> Value {
    let (group, name) = package.split_once('/').map_or(("", package), |(group, name)| (group, name));
    let purl = format!("pkg:npm/{}@{version}", package.replace('@', "%40"));
    let mut component = json!({
        "type": "library", "bom-ref": format!("{purl}#{sha256}"), "name": name, "version": version, "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": sha256}], "licenses": [{"license": {"id": licence}}], "purl": purl,
    });
    if !group.is_empty() {
        component["group"] = json!(group);
    }
    component
}
