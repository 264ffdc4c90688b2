//! Packs the word lists of the password strength estimate: reads them from the source of the zxcvbn crate (a
//! dev-dependency of core) and writes `core/src/model/strength/words.bin`. `words.rs` beside it describes the format.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::commands::cargo;

const PACKED: &str = "core/src/model/strength/words.bin";
/// The lists, in the order of their numbers in the packed file.
const LISTS: [&str; 6] = ["PASSWORDS", "ENGLISH_WIKI", "FEMALE_NAMES", "SURNAMES", "US_TV_AND_FILM", "MALE_NAMES"];
/// Mantissa bits of a packed rank: those after the leading 1.
const MANTISSA: u32 = 8;

/// Writes the packed file.
///
/// # Errors
/// If a list is missing in the source of zxcvbn or can't be packed, or a file can't be read or written.
pub fn pack() -> Result<()> {
    std::fs::write(PACKED, pack_lists()?).context(PACKED)
}

/// Checks that the packed file matches the lists of zxcvbn.
///
/// # Errors
/// If it does not match, or as for [`pack`].
pub fn check() -> Result<()> {
    println!("==> the packed word lists match zxcvbn");
    if std::fs::read(PACKED).context(PACKED)? != pack_lists()? {
        bail!("{PACKED} does not match the lists of zxcvbn: run `cargo xtask pack-dictionary`");
    }
    Ok(())
}

fn pack_lists() -> Result<Vec<u8>> {
    let source = std::fs::read_to_string(lists_file()?)?;
    let mut words = Vec::new();
    for (number, name) in (0u16..).zip(LISTS) {
        let list = source.split_once(&format!("const {name}: &str = \"")).and_then(|(_, rest)| rest.split_once("\";"));
        let list = list.with_context(|| format!("no list {name}"))?.0.replace("\\\\", "\\");
        for (word, rank) in list.split(',').zip(1u32..) {
            words.push((word.to_owned(), (number << 12) | pack_rank(rank)?));
        }
    }
    words.sort();
    let mut spelling = Vec::new();
    let mut previous = "";
    for (word, _) in &words {
        let shared = word.bytes().zip(previous.bytes()).take_while(|(a, b)| a == b).count();
        if !word.is_ascii() || word == previous {
            bail!("{word} is not ASCII, or in the lists twice");
        }
        spelling.push(128 + u8::try_from(shared)?);
        spelling.extend_from_slice(&word.as_bytes()[shared..]);
        previous = word;
    }
    let mut packed = u32::try_from(words.len())?.to_le_bytes().to_vec();
    packed.extend(u32::try_from(spelling.len())?.to_le_bytes());
    packed.extend(spelling);
    packed.extend(words.iter().map(|(_, code)| code.to_le_bytes()[0]));
    packed.extend(words.iter().map(|(_, code)| code.to_le_bytes()[1]));
    Ok(packed)
}

/// Packs a rank into twelve bits, as a floating-point number with four bits of exponent: exact below 512.
fn pack_rank(rank: u32) -> Result<u16> {
    let halvings = (32 - rank.leading_zeros()).saturating_sub(MANTISSA + 1);
    let packed = (halvings << MANTISSA) + (rank >> halvings);
    if packed >> 12 != 0 {
        bail!("rank {rank} does not fit into twelve bits");
    }
    Ok(u16::try_from(packed)?)
}

/// The file of zxcvbn that has the lists.
fn lists_file() -> Result<PathBuf> {
    let metadata = cargo(&["metadata", "--format-version", "1"]).output()?;
    let metadata = String::from_utf8(metadata.stdout)?;
    let manifest = metadata.split('"').find(|text| text.contains("/zxcvbn-") && text.ends_with("/Cargo.toml"));
    let manifest = PathBuf::from(manifest.context("zxcvbn is not a dependency")?);
    Ok(manifest.with_file_name("src").join("frequency_lists.rs"))
}
