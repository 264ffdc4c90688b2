//! Packs the word lists that password strength is measured by: out of the sources of the zxcvbn crate (a
//! dev-dependency of core) into `core/src/model/strength/words.bin`, whose reader describes the format.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::commands::cargo;

const PACKED: &str = "core/src/model/strength/words.bin";
/// In the order of their numbers.
const LISTS: [&str; 6] = ["PASSWORDS", "ENGLISH_WIKI", "FEMALE_NAMES", "SURNAMES", "US_TV_AND_FILM", "MALE_NAMES"];
/// Significant bits of a rank after the first.
const MANTISSA: u32 = 8;

/// Writes the file.
///
/// # Errors
/// When the lists are not where they were, or not as they were.
pub fn pack() -> Result<()> {
    std::fs::write(PACKED, packed()?).context(PACKED)
}

/// The file is what the lists say.
///
/// # Errors
/// When it is not.
pub fn check() -> Result<()> {
    println!("==> the lists of words are those of zxcvbn");
    if std::fs::read(PACKED).context(PACKED)? != packed()? {
        bail!("{PACKED} is not made of these lists: run `cargo xtask pack-dictionary`");
    }
    Ok(())
}

fn packed() -> Result<Vec<u8>> {
    let source = std::fs::read_to_string(source()?)?;
    let mut words = Vec::new();
    for (number, name) in (0u16..).zip(LISTS) {
        let list = source.split_once(&format!("const {name}: &str = \"")).and_then(|(_, rest)| rest.split_once("\";"));
        let list = list.with_context(|| format!("no list {name}"))?.0.replace("\\\\", "\\");
        for (word, rank) in list.split(',').zip(1u32..) {
            words.push((word.to_owned(), (number << 12) | shortened(rank)?));
        }
    }
    words.sort();
    let mut spelling = Vec::new();
    let mut previous = "";
    for (word, _) in &words {
        let shared = word.bytes().zip(previous.bytes()).take_while(|(a, b)| a == b).count();
        if !word.is_ascii() || word == previous {
            bail!("{word} is not ASCII, or there twice");
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

/// A rank in twelve bits.
fn shortened(rank: u32) -> Result<u16> {
    let doublings = (32 - rank.leading_zeros()).saturating_sub(MANTISSA + 1);
    let short = (doublings << MANTISSA) + (rank >> doublings);
    if short >> 12 != 0 {
        bail!("{rank} does not fit");
    }
    Ok(u16::try_from(short)?)
}

fn source() -> Result<PathBuf> {
    let metadata = cargo(&["metadata", "--format-version", "1"]).output()?;
    let metadata = String::from_utf8(metadata.stdout)?;
    let manifest = metadata.split('"').find(|text| text.contains("/zxcvbn-") && text.ends_with("/Cargo.toml"));
    let manifest = PathBuf::from(manifest.context("zxcvbn is not a dependency")?);
    Ok(manifest.with_file_name("src").join("frequency_lists.rs"))
}
