//! The files of a release: staged as they will be installed, then packed as a Debian package and as a tarball. The same
//! commit gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{new_folder, output};
use crate::commands::{cargo, step};

/// The release build.
pub const RELEASE: &str = "target/release/portcullis";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The completions of each shell, at the path where its distribution looks.
pub const SHELLS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/portcullis"),
    ("zsh", "usr/share/zsh/vendor-completions/_portcullis"),
    ("fish", "usr/share/fish/vendor_completions.d/portcullis.fish"),
];
/// Files of the repository, with their path and mode in the package.
const FILES: [(&str, &str, &str); 5] = [
    ("deploy/systemd/portcullis.service", "usr/lib/systemd/system/portcullis.service", "644"),
    ("deploy/package/portcullis.env", "etc/portcullis/portcullis.env", "644"),
    ("LICENSE", "usr/share/doc/portcullis/copyright", "644"),
    ("CHANGELOG.md", "usr/share/doc/portcullis/CHANGELOG.md", "644"),
    ("docs/deployment.md", "usr/share/doc/portcullis/deployment.md", "644"),
];

/// Builds the server for release.
///
/// # Errors
/// When it can't be built.
pub fn build_release() -> Result<()> {
    step("release build", cargo(&["build", "--release", "--package", "portcullis-server", "--bin", "portcullis"]))
}

/// The package's files in a folder: the binary, the unit, completions, manual pages and documents.
///
/// # Errors
/// When a file is missing or the binary can't write completions and manual pages.
pub fn stage(binary: &str) -> Result<PathBuf> {
    let root = new_folder("package")?;
    for (from, to, mode) in FILES.into_iter().chain([(binary, "usr/bin/portcullis", "755")]) {
        let mut install = Command::new("install");
        output(install.args(["-D", "--mode", mode, from]).arg(root.join(to)))?;
    }
    for (shell, place) in SHELLS {
        let path = root.join(place);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, output(Command::new(binary).args(["completions", shell]))?)?;
    }
    let manual = root.join("usr/share/man/man1");
    output(Command::new(binary).args(["man", "--folder"]).arg(&manual))?;
    output(Command::new("gzip").args(["--best", "--no-name", "--recursive"]).arg(&manual))?;
    // independent of the umask
    output(Command::new("chmod").args(["--recursive", "u=rwX,go=rX"]).arg(&root))?;
    Ok(root)
}

/// Packs the staged files as a Debian package for this machine's architecture, and returns its path.
///
/// # Errors
/// When a program of Debian refuses.
pub fn debian(root: &Path, dist: &Path) -> Result<PathBuf> {
    let folder = new_folder("debian")?;
    output(Command::new("cp").arg("-a").arg(root.join(".")).arg(&folder))?;
    let control = folder.join("DEBIAN");
    std::fs::create_dir_all(&control)?;
    for script in ["postinst", "prerm", "postrm"] {
        let mut install = Command::new("install");
        output(install.args(["--mode", "755"]).arg(format!("deploy/package/{script}")).arg(control.join(script)))?;
    }
    std::fs::write(control.join("conffiles"), "/etc/portcullis/portcullis.env\n")?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    // the binary needs the C library that it was linked with, or a later one
    let libc = output(Command::new("dpkg-query").args(["--show", "--showformat=${source:Upstream-Version}", "libc6"]))?;
    let (architecture, libc) = (architecture.trim(), libc.trim());
    let size = output(Command::new("du").args(["--summarize", "--apparent-size", "--block-size=1024"]).arg(root))?;
    let size = size.split_whitespace().next().context("a size")?;
    let text = format!(
        "Package: portcullis\nVersion: {VERSION}\nArchitecture: {architecture}\nSection: net\nPriority: optional\n\
         Installed-Size: {size}\nMaintainer: Portcullis <noreply@portcullis.invalid>\n\
         Depends: libc6 (>= {libc}), libgcc-s1, ca-certificates\n\
         Homepage: https://github.com/portcullis-auth/portcullis\n\
         Description: self-hosted authentication server\n Registration, verification, login, sessions, second factors \
         and recovery.\n Every personal field is encrypted under a key of its own.\n"
    );
    std::fs::write(control.join("control"), text)?;
    output(Command::new("chmod").args(["u=rwX,go=rX"]).arg(&control).arg(control.join("control")))?;
    let package = dist.join(format!("portcullis_{VERSION}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]).arg(&folder).arg(&package).env("SOURCE_DATE_EPOCH", "0");
    step("Debian package", build)?;
    Ok(package)
}

/// Packs the staged files and `deploy/` as a tarball for other distributions, and returns its path. All is below one folder.
///
/// # Errors
/// When tar refuses.
pub fn tarball(root: &Path, dist: &Path, target: &str) -> Result<PathBuf> {
    let name = format!("portcullis-{VERSION}-{target}");
    let (archive, here) = (dist.join(format!("{name}.tar.gz")), std::env::current_dir()?);
    let listed = output(Command::new("git").args(["ls-files", "--", "deploy"]))?;
    let deploy: Vec<&str> = listed.lines().collect();
    ensure!(deploy.contains(&"deploy/compose.yaml"), "git lists no files of deploy/");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u=rwX,go=rX", "--use-compress-program=gzip --best --no-name"]);
    tar.arg(format!("--transform=s,^,{name}/,")).arg("--file").arg(&archive);
    tar.arg("--directory").arg(root).args(["usr", "etc"]).arg("--directory").arg(here).args(deploy);
    step("tarball", tar)?;
    Ok(archive)
}
