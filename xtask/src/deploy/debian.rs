//! A Debian in a folder, made by mmdebstrap of packages: the release is installed and used there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::new_folder;
use crate::commands::{cargo, install, step};

/// The dependencies of the package, and the programs that read its completions and manual pages.
const PACKAGES: &str = "ca-certificates,libgcc-s1,zsh,fish,mandoc";

/// A root folder with the essential packages and those that the release needs.
///
/// # Errors
/// When it can't be made.
pub fn new_root(name: &str) -> Result<PathBuf> {
    let (archive, root) = (archive("install", "minbase", PACKAGES)?, new_folder(name)?);
    let mut unpack = Command::new("tar");
    unpack.arg("-xf").arg(&archive).arg("-C").arg(&root);
    step(&format!("unpack a Debian into {}", root.display()), unpack)?;
    Ok(root)
}

/// A tarball of a Debian with these packages, made once.
///
/// # Errors
/// When it can't be made.
pub fn archive(name: &str, variant: &str, packages: &str) -> Result<PathBuf> {
    let folder = std::env::current_dir()?.join("target/tools/debian");
    let archive = folder.join(format!("{name}.tar"));
    if !archive.exists() {
        if Command::new("mmdebstrap").arg("--version").output().is_err() {
            install(&["mmdebstrap"])?;
        }
        std::fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!("{name}.new.tar"));
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant", variant, &format!("--include={packages}"), "bookworm"]).arg(&unfinished);
        step(&format!("a Debian with {packages}"), make)?;
        std::fs::rename(unfinished, &archive)?;
    }
    Ok(archive)
}

/// Runs the tests of installed programs on a root folder that has `usr/bin/portcullis`.
///
/// # Errors
/// When one fails.
pub fn test_installed(root: &Path) -> Result<()> {
    ensure!(root.join("usr/bin/portcullis").exists(), "nothing is installed in {}", root.display());
    let mut test = cargo(&["test", "--package", "portcullis-tests", "--test", "production", "installed"]);
    test.env("REQUIRE_PRODUCTION", "installed").env("INSTALLED_ROOT", root);
    step("the installed server", test)
}
