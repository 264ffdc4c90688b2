//! `cargo xtask dist`: a release as files: the Debian package, a tarball, the bill of materials, their checksums and a
//! signature of these. `MINISIGN_KEY_FILE` names the secret key.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use super::package::{RELEASE, SHELLS, VERSION, build_release, debian, stage, tarball};
use super::{debian as debian_root, new_folder, output};
use crate::commands::{install, step};
use crate::supply_chain;

const CHECKSUMS: &str = "SHA256SUMS";

/// Builds everything into `target/dist`.
///
/// # Errors
/// When a part can't be built, or the key can't sign.
pub fn run() -> Result<()> {
    let dist = pack()?;
    match std::env::var_os("MINISIGN_KEY_FILE") {
        Some(key) => sign(Path::new(&key), &dist)?,
        None => println!("==> not signed: MINISIGN_KEY_FILE names no key"),
    }
    println!("==> {}", dist.display());
    Ok(())
}

fn pack() -> Result<PathBuf> {
    build_release()?;
    let dist = new_folder("../dist")?;
    let root = stage(RELEASE)?;
    debian(&root, &dist)?;
    tarball(&root, &dist, &format!("{}-linux-gnu", std::env::consts::ARCH))?;
    supply_chain::sbom()?;
    std::fs::copy("target/sbom/portcullis.cdx.json", dist.join(format!("portcullis-{VERSION}.cdx.json")))?;
    write_checksums(&dist)?;
    Ok(dist)
}

/// Writes the SHA-256 of each file, in the format of `sha256sum`.
fn write_checksums(dist: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dist)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut lines = String::new();
    for file in files {
        let digest = Sha256::digest(std::fs::read(&file)?);
        let hex = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
        lines.extend([&hex, "  ", &name, "\n"]);
    }
    print!("{lines}");
    Ok(std::fs::write(dist.join(CHECKSUMS), lines)?)
}

/// Signs the checksums. Asks for the password of the key on the terminal, if it has one.
fn sign(key: &Path, dist: &Path) -> Result<()> {
    let mut sign = minisign()?;
    sign.args(["-S", "-t", &format!("portcullis {VERSION}"), "-s"]).arg(key).arg("-m").arg(dist.join(CHECKSUMS));
    println!("==> signature");
    let status = sign.status().context("minisign could not be started")?;
    ensure!(status.success(), "minisign refused to sign with {}", key.display());
    Ok(())
}

fn minisign() -> Result<Command> {
    if Command::new("minisign").arg("-v").output().is_err() {
        install(&["minisign"])?;
    }
    Ok(Command::new("minisign"))
}

/// Builds a release, signs it with a key of its own, installs the package into a Debian and uses the installed server.
///
/// # Errors
/// When a part fails.
pub fn check() -> Result<()> {
    let dist = pack()?;
    check_signature(&dist)?;
    check_repeatable(&dist)?;
    let root = debian_root::new_root("installed")?;
    let package = dist.join(file_of(&dist, ".deb")?);
    std::fs::copy(package, root.join("portcullis.deb"))?;
    dpkg(&root, &["--install", "/portcullis.deb"])?;
    check_documents(&root)?;
    let secrets =
        || output(Command::new("sh").args(["-c", "cat -- *"]).current_dir(root.join("etc/portcullis/secrets")));
    let made = secrets()?;
    ensure!(made.len() > 4 * 40, "the package has made no secrets");
    debian_root::test_installed(&root)?;
    // an upgrade, and a removal with everything that a package may remove
    dpkg(&root, &["--install", "/portcullis.deb"])?;
    dpkg(&root, &["--purge", "portcullis"])?;
    ensure!(!root.join("usr/bin/portcullis").exists(), "the binary is left after a purge");
    ensure!(secrets()? == made, "an upgrade or a purge has changed the secrets");
    Ok(())
}

/// The signature verifies, and not for other checksums. The checksums are those of the files.
fn check_signature(dist: &Path) -> Result<()> {
    let keys = new_folder("minisign")?;
    let (public, secret) = (keys.join("public"), keys.join("secret"));
    output(minisign()?.args(["-G", "-W", "-p"]).arg(&public).arg("-s").arg(&secret))?;
    sign(&secret, dist)?;
    let verify = |file: &Path| -> Result<bool> {
        let mut verify = minisign()?;
        verify.args(["-V", "-q", "-p"]).arg(&public).arg("-x").arg(dist.join(format!("{CHECKSUMS}.minisig")));
        Ok(verify.arg("-m").arg(file).status()?.success())
    };
    ensure!(verify(&dist.join(CHECKSUMS))?, "the signature does not verify");
    let other = keys.join("other");
    std::fs::write(&other, std::fs::read_to_string(dist.join(CHECKSUMS))?.replacen('a', "b", 1))?;
    ensure!(!verify(&other)?, "the signature verifies for changed checksums");
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", CHECKSUMS]).current_dir(dist);
    step("the checksums are right", sums)
}

/// Packing once more gives the same bytes.
fn check_repeatable(dist: &Path) -> Result<()> {
    let (again, root) = (new_folder("again")?, stage(RELEASE)?);
    let target = format!("{}-linux-gnu", std::env::consts::ARCH);
    for file in [debian(&root, &again)?, tarball(&root, &again, &target)?] {
        let first = dist.join(file.file_name().context("a name")?);
        ensure!(std::fs::read(&first)? == std::fs::read(&file)?, "{} has other bytes each time", first.display());
    }
    Ok(())
}

/// The manual pages and completions are installed, and their own programs read them.
fn check_documents(root: &Path) -> Result<()> {
    for (shell, place) in SHELLS {
        let check = match shell {
            "bash" => format!("source /{place} && complete -p portcullis"),
            "zsh" => format!("zsh --no-exec /{place}"),
            _ => format!("fish --no-execute /{place}"),
        };
        let mut chroot = Command::new("chroot");
        chroot.arg(root).args(["bash", "-c", &check]);
        step(&format!("{shell} reads its completions"), chroot)?;
    }
    let pages = std::fs::read_dir(root.join("usr/share/man/man1"))?.filter_map(Result::ok);
    let pages = pages.filter(|page| page.file_name().to_string_lossy().starts_with("portcullis")).count();
    ensure!(pages > 20, "there are only {pages} manual pages");
    let mut lint = Command::new("chroot");
    let each =
        "for page in /usr/share/man/man1/portcullis*; do zcat \"$page\" | mandoc -T lint -W error || exit 1; done";
    lint.arg(root).args(["sh", "-c", each]);
    step("the manual pages are read", lint)
}

fn dpkg(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut dpkg = Command::new("chroot");
    dpkg.arg(root).arg("dpkg").args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    step(&format!("dpkg {}", arguments.join(" ")), dpkg)
}

fn file_of(dist: &Path, end: &str) -> Result<String> {
    let names =
        std::fs::read_dir(dist)?.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let Some(name) = names.into_iter().find(|name| name.ends_with(end)) else { bail!("there is no {end}") };
    Ok(name)
}
