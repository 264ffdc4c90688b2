//! Packs the Unicode properties that domain names and normal forms need, from ICU4X into
//! `wasm/idna_adapter/src/tables.bin`. `tables.rs` in the same folder describes the format. And checks that only the
//! browser build uses them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use icu_normalizer::properties::{
    CanonicalCombiningClassMapBorrowed, CanonicalCompositionBorrowed, CanonicalDecompositionBorrowed, Decomposed,
};
use icu_normalizer::uts46::Uts46MapperBorrowed;
use icu_normalizer::{DecomposingNormalizerBorrowed, properties::CanonicalComposition};
use icu_properties::CodePointMapData;
use icu_properties::props::{BidiClass, GeneralCategory, JoiningType};

const PACKED: &str = "wasm/idna_adapter/src/tables.bin";
const SERVER_LOCK: &str = "Cargo.lock";
const BROWSER_LOCK: &str = "wasm/Cargo.lock";
/// The crates that decide how Unicode texts and domain names are read: server and browser must have the same versions.
const SAME_VERSIONS: [&str; 5] =
    ["idna", "icu_normalizer", "icu_normalizer_data", "icu_properties", "icu_properties_data"];
const CODE_POINTS: u32 = 0x0011_0000;
/// Syllables that are computed by arithmetic.
const HANGUL: std::ops::Range<u32> = 0xac00..0xac00 + 19 * 21 * 28;

type Map = BTreeMap<char, Vec<char>>;

/// Writes the file.
///
/// # Errors
/// When it cannot be written.
pub fn pack() -> Result<()> {
    std::fs::write(PACKED, packed()?).context(PACKED)
}

/// Checks that the tables are those of ICU4X, that the server uses the published crates, and that the browser build
/// uses the tables with the same version of `idna`.
///
/// # Errors
/// When one of these does not hold.
pub fn check() -> Result<()> {
    println!("==> the compact Unicode tables are those of ICU4X");
    if std::fs::read(PACKED).context(PACKED)? != packed()? {
        bail!("{PACKED} is not from this version of ICU4X: run `cargo xtask unicode`");
    }
    let (server, browser) = (std::fs::read_to_string(SERVER_LOCK)?, std::fs::read_to_string(BROWSER_LOCK)?);
    let published = |lock: &str| Ok::<_, anyhow::Error>(locked(lock, "idna_adapter")?.contains("source = "));
    if !published(&server)? {
        bail!("{SERVER_LOCK}: the server does not use the published idna_adapter");
    }
    if published(&browser)? {
        bail!("{BROWSER_LOCK}: the browser build does not use the compact tables");
    }
    for name in SAME_VERSIONS {
        if locked(&server, name)? != locked(&browser, name)? {
            bail!("{name} has different versions in {SERVER_LOCK} and {BROWSER_LOCK}");
        }
    }
    Ok(())
}

/// The only entry of a package in a lock file, without its dependencies.
fn locked<'a>(lock: &'a str, name: &str) -> Result<&'a str> {
    let first_line = format!("\nname = \"{name}\"\n");
    let mut entries = lock.split("[[package]]").filter(|entry| entry.starts_with(&first_line));
    let (entry, None) = (entries.next().with_context(|| format!("{name} is not locked"))?, entries.next()) else {
        bail!("{name} is locked in two versions");
    };
    Ok(entry.split("dependencies = [").next().unwrap_or(entry).trim())
}

fn characters() -> impl Iterator<Item = char> {
    (0..CODE_POINTS).filter_map(char::from_u32)
}

fn packed() -> Result<Vec<u8>> {
    let (canonical, never) = canonical();
    let compatible = compatible();
    let mut packed = Vec::new();
    runs(&mut packed)?;
    let mapped = mapped(&compatible);
    for map in [&canonical, &compatible, &mapped] {
        write_map(&mut packed, map)?;
    }
    number(&mut packed, u32::try_from(never.len())?);
    distances(&mut packed, &never);
    Ok(packed)
}

/// The properties of the code points, in runs.
fn runs(packed: &mut Vec<u8>) -> Result<()> {
    let (categories, directions, joins) = (
        CodePointMapData::<GeneralCategory>::new(),
        CodePointMapData::<BidiClass>::new(),
        CodePointMapData::<JoiningType>::new(),
    );
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let kind = |c: char| {
        let status = match uts46(c) {
            Some(mapped) if mapped.is_empty() => 1,
            Some(_) => 0,
            None => 2,
        };
        let mark = matches!(
            categories.get(c),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
        );
        status
            | (u32::from(mark) << 2)
            | (direction(directions.get(c)) << 3)
            | (joining(joins.get(c)) << 6)
            | (u32::from(classes.get_u8(c)) << 9)
    };
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for code in 0..CODE_POINTS {
        // surrogates are no characters: they go with what is before them
        let this = char::from_u32(code).map(kind);
        match (runs.last_mut(), this) {
            (Some((last, length)), this) if this.is_none_or(|this| this == *last) => *length += 1,
            (_, this) => runs.push((this.unwrap_or_default(), 1)),
        }
    }
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for (kind, _) in &runs {
        *counts.entry(*kind).or_default() += 1;
    }
    let mut kinds: Vec<u32> = counts.keys().copied().collect();
    // the most frequent first: small numbers pack better
    kinds.sort_by_key(|kind| std::cmp::Reverse(counts[kind]));
    number(packed, u32::try_from(kinds.len())?);
    for kind in &kinds {
        number(packed, *kind);
    }
    number(packed, u32::try_from(runs.len())?);
    for (_, length) in &runs {
        number(packed, *length);
    }
    for (kind, _) in &runs {
        packed.push(u8::try_from(kinds.iter().position(|other| other == kind).context("a kind")?)?);
    }
    Ok(())
}

/// In the order of `Bidi`.
fn direction(of: BidiClass) -> u32 {
    match of {
        BidiClass::LeftToRight => 0,
        BidiClass::RightToLeft | BidiClass::ArabicLetter => 1,
        BidiClass::EuropeanNumber => 2,
        BidiClass::ArabicNumber => 3,
        BidiClass::NonspacingMark => 4,
        BidiClass::EuropeanSeparator
        | BidiClass::CommonSeparator
        | BidiClass::EuropeanTerminator
        | BidiClass::OtherNeutral
        | BidiClass::BoundaryNeutral => 5,
        _ => 6,
    }
}

/// In the order of `Joining`.
fn joining(of: JoiningType) -> u32 {
    match of {
        JoiningType::DualJoining => 1,
        JoiningType::LeftJoining => 2,
        JoiningType::RightJoining => 3,
        JoiningType::Transparent => 4,
        _ => 0,
    }
}

/// The UTS 46 mapping of a character; `None` where it is disallowed.
fn uts46(c: char) -> Option<String> {
    let mapped: String = Uts46MapperBorrowed::new().map_normalize(std::iter::once(c)).collect();
    (!mapped.contains(char::REPLACEMENT_CHARACTER)).then_some(mapped)
}

/// Decompositions by one step, and what is never composed again.
fn canonical() -> (Map, Vec<u32>) {
    let composition: CanonicalCompositionBorrowed<'_> = CanonicalComposition::new();
    let decomposition = CanonicalDecompositionBorrowed::new();
    let (mut map, mut never) = (Map::new(), Vec::new());
    for c in characters().filter(|c| !HANGUL.contains(&u32::from(*c))) {
        match decomposition.decompose(c) {
            Decomposed::Default => {}
            Decomposed::Singleton(one) => drop(map.insert(c, vec![one])),
            Decomposed::Expansion(first, second) => {
                map.insert(c, vec![first, second]);
                if composition.compose(first, second) != Some(c) {
                    never.push(u32::from(c));
                }
            }
        }
    }
    (map, never)
}

/// Decompositions in full, where they are not the canonical ones.
fn compatible() -> Map {
    let (canonical_form, compatible_form) =
        (DecomposingNormalizerBorrowed::new_nfd(), DecomposingNormalizerBorrowed::new_nfkd());
    let mut map = Map::new();
    for c in characters() {
        let text = c.to_string();
        let decomposed = compatible_form.normalize(&text);
        if decomposed != canonical_form.normalize(&text) {
            map.insert(c, decomposed.chars().collect());
        }
    }
    map
}

/// The UTS 46 mappings of characters, decomposed: of those that do not decompose, and of others whose mapping differs
/// from that of the characters that they decompose to.
fn mapped(compatible: &Map) -> Map {
    let (canonical_form, compatible_form) =
        (DecomposingNormalizerBorrowed::new_nfd(), DecomposingNormalizerBorrowed::new_nfkd());
    let target = |c: char| {
        uts46(c).filter(|mapped| !mapped.is_empty()).map(|mapped| canonical_form.normalize(&mapped).into_owned())
    };
    let mut map = Map::new();
    for c in characters() {
        let text = c.to_string();
        if compatible_form.normalize(&text) == text.as_str()
            && let Some(target) = target(c)
            && target != text
        {
            map.insert(c, target.chars().collect());
        }
    }
    let mut odd = Map::new();
    for c in characters().filter(|c| !map.contains_key(c)) {
        let Some(target) = target(c) else { continue };
        let text = c.to_string();
        let pieces = compatible.get(&c).cloned().unwrap_or_else(|| canonical_form.normalize(&text).chars().collect());
        let expected = pieces.into_iter().flat_map(|c| map.get(&c).cloned().unwrap_or_else(|| vec![c]));
        if canonical_form.normalize(&expected.collect::<String>()) != target {
            odd.insert(c, target.chars().collect());
        }
    }
    map.extend(odd);
    map
}

fn write_map(packed: &mut Vec<u8>, map: &Map) -> Result<()> {
    number(packed, u32::try_from(map.len())?);
    distances(packed, &map.keys().map(|c| u32::from(*c)).collect::<Vec<_>>());
    for to in map.values() {
        packed.push(u8::try_from(to.len())?);
    }
    let mut previous: &[char] = &[];
    for to in map.values() {
        let mut last = '\0';
        for (at, c) in to.iter().enumerate() {
            last = previous.get(at).copied().unwrap_or(last);
            let distance = i64::from(u32::from(*c)) - i64::from(u32::from(last));
            number(packed, u32::try_from(if distance < 0 { -distance * 2 - 1 } else { distance * 2 })?);
            last = *c;
        }
        previous = to;
    }
    Ok(())
}

fn distances(packed: &mut Vec<u8>, numbers: &[u32]) {
    let mut last = 0;
    for one in numbers {
        number(packed, one - last);
        last = *one;
    }
}

/// Seven bits a byte, the lowest first; the eighth bit where more follow.
fn number(packed: &mut Vec<u8>, mut number: u32) {
    while number >= 128 {
        packed.extend(number.to_le_bytes().first().map(|low| low | 128));
        number >>= 7;
    }
    packed.extend(number.to_le_bytes().first());
}
