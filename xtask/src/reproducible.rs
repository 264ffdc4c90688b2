//! A release build gives the same bytes in any folder: builds it twice, in two folders, and compares.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::commands::{cargo, step};

/// Where both builds are. Their names have different lengths, which is what shifts bytes in a binary.
const FOLDER: &str = "target/reproducible";
const BUILDS: [&str; 2] = ["one", "another-folder"];

/// Builds the committed state twice and compares the binaries. The binary and its SHA-256 stay in `target/reproducible`.
///
/// # Errors
/// When the bytes differ.
pub fn run() -> Result<()> {
    let folder = std::env::current_dir()?.join(FOLDER);
    let mut digests = Vec::new();
    for name in BUILDS {
        let binary = build(&folder.join(name))?;
        let bytes = std::fs::read(&binary).with_context(|| binary.display().to_string())?;
        let digest = Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        println!("{digest}  {}", binary.display());
        digests.push(digest);
        std::fs::copy(&binary, folder.join("portcullis"))?;
        std::fs::remove_dir_all(folder.join(name))?;
    }
    if digests.first() != digests.last() {
        bail!("the two builds have different bytes");
    }
    let digest = digests.first().context("nothing was built")?;
    std::fs::write(folder.join("portcullis.sha256"), format!("{digest}  portcullis\n"))?;
    Ok(())
}

/// Builds the committed state in a folder of its own; the path of the binary.
fn build(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    let archive = folder.join("source.tar");
    let mut pack = Command::new("git");
    pack.args(["archive", "--output"]).arg(&archive).arg("HEAD");
    step("pack the committed state", pack)?;
    let source = folder.join("source");
    std::fs::create_dir_all(&source)?;
    let mut unpack = Command::new("tar");
    unpack.arg("xf").arg(&archive).arg("-C").arg(&source);
    step("unpack it", unpack)?;
    let target = folder.join("target");
    let mut release =
        cargo(&["build", "--release", "--locked", "--package", "portcullis-server", "--bin", "portcullis"]);
    release.current_dir(&source).env("CARGO_TARGET_DIR", &target);
    // no path of this machine is in the binary, neither of Rust's code nor of C's
    let places = [(&source, "/source"), (&target, "/target"), (&cargo_home()?, "/cargo")];
    let rust = places.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let c = places.map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()));
    release.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"));
    release.env("CFLAGS", c.join(" ")).env("CXXFLAGS", c.join(" "));
    // the date of a commit, where a build script wants one
    release.env("SOURCE_DATE_EPOCH", "0");
    step(&format!("release build in {}", folder.display()), release)?;
    Ok(target.join("release/portcullis"))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cargo"))
}
