//! Prints `core/src/model/numbering_plan_tables.rs` from the metadata of libphonenumber:
//! `cargo run --release -p portcullis-core --example numbering_plan > FILE`. A test compares the tables with the library.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a generator that a developer runs")]

use std::collections::{BTreeMap, BTreeSet};

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL as LIBRARY, PhoneNumber, PhoneNumberType, Region,
    get_national_significant_number_owned,
};

/// Lengths of the part behind the calling code.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=14;
/// How many numbers of each length are tried with a prefix: behind a short one, a block of few numbers is found only by
/// many. The table is compared with the library by a test.
const fn samples(prefix: &str) -> u64 {
    match prefix.len() {
        0..=2 => 100_000,
        3 => 20_000,
        _ => 3000,
    }
}

/// The region of a number, where the library knows it.
fn region(dial: i32, national: &str) -> Option<String> {
    let number = LIBRARY.parse(format!("+{dial}{national}"), None).ok()?;
    let whole = number.country_code == dial && get_national_significant_number_owned(&number) == national;
    whole.then(|| LIBRARY.get_region_for_number(&number)).flatten().map(|region| format!("{region:?}"))
}

/// The regions of numbers with that prefix; `None` where they depend on further digits.
fn uniform(dial: i32, prefix: &str, random: &mut u64) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    // numbers of North America have ten digits for callers from elsewhere; Canada also has some of seven digits for its own
    let lengths = lengths(dial);
    let dialable =
        |length: &usize| *length >= prefix.len() && lengths >> length & 1 == 1 && (dial != 1 || *length == 10);
    for length in LENGTHS.filter(dialable) {
        let width = length - prefix.len();
        let all = 10_u64.pow(width.try_into().expect("a few digits"));
        let mut regions = BTreeSet::new();
        let samples = samples(prefix);
        for sample in 0..samples.min(all) {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            let rest = if all <= samples { sample } else { *random % all };
            let rest = if width == 0 { String::new() } else { format!("{rest:0width$}") };
            regions.insert(region(dial, &format!("{prefix}{rest}")));
            if regions.len() > 1 {
                return None;
            }
        }
        found.extend(regions.pop_first().flatten());
    }
    Some(found)
}

/// The blocks of a calling code: the shortest prefixes whose known numbers are all of one region. Returns the regions of
/// numbers with that prefix.
fn blocks(dial: i32, prefix: &str, random: &mut u64, found: &mut Vec<(String, String)>) -> BTreeSet<String> {
    if let Some(regions) = uniform(dial, prefix, random) {
        return regions;
    }
    let mut below = Vec::new();
    for digit in 0..10 {
        let (prefix, mut inner) = (format!("{prefix}{digit}"), Vec::new());
        let regions = blocks(dial, &prefix, random, &mut inner);
        below.push((prefix, regions, inner));
    }
    let regions: BTreeSet<String> = below.iter().flat_map(|(_, regions, _)| regions.clone()).collect();
    if regions.len() > 1 {
        for (prefix, regions, inner) in below {
            match regions.first() {
                Some(region) if regions.len() == 1 => found.push((format!("{dial}{prefix}"), region.clone())),
                _ => found.extend(inner),
            }
        }
    }
    regions
}

/// Consecutive prefixes of one region and length: the first, and how many follow.
fn merge(mut blocks: Vec<(String, String)>) -> Vec<(u32, u8, String)> {
    blocks.sort_by_key(|(prefix, _)| (prefix.len(), prefix.clone()));
    let mut merged: Vec<(u32, u8, String)> = Vec::new();
    for (prefix, region) in blocks {
        let number: u32 = prefix.parse().expect("digits");
        match merged.last_mut() {
            Some((first, more, last)) if *last == region && *first + u32::from(*more) + 1 == number => *more += 1,
            _ => merged.push((number, 0, region)),
        }
    }
    merged
}

/// Countries that the library has no numbers of, with the calling codes they share.
const WITHOUT_NUMBERS: [(&str, i32); 7] =
    [("AQ", 672), ("BV", 47), ("GS", 500), ("HM", 672), ("PN", 64), ("TF", 262), ("UM", 1)];
/// Prefixes that may stand before a national number in its own country, longer ones first.
const TRUNKS: [&str; 6] = ["06", "01", "80", "0", "1", "8"];
/// The bit of the first country of a calling code, behind those of its trunk prefixes.
const FIRST: u8 = 1 << 7;
const TYPES: [PhoneNumberType; 3] = [PhoneNumberType::FixedLine, PhoneNumberType::Mobile, PhoneNumberType::TollFree];

/// The trunk prefixes that the library drops from every example number of a region, as bits.
fn trunks(region: Region) -> u8 {
    let examples = TYPES.map(|kind| LIBRARY.get_example_number_for_type_and_region(region, kind).ok());
    let dropped = |trunk: &str| {
        examples.iter().flatten().all(|example| {
            let national = get_national_significant_number_owned(example);
            LIBRARY.parse(format!("{trunk}{national}"), Some(region)).is_ok_and(|parsed| parsed == *example)
        })
    };
    (0_u8..).zip(TRUNKS).filter(|(_, trunk)| dropped(trunk)).fold(0, |bits, (at, _)| bits | 1 << at)
}

/// The lengths that national numbers of a calling code may have, as bits.
fn lengths(dial: i32) -> u16 {
    let possible = |length: &u32| {
        let number =
            PhoneNumber { country_code: dial, national_number: 10_u64.pow(length - 1) * 2, ..PhoneNumber::default() };
        matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible))
    };
    (1..=14).filter(possible).fold(0, |bits, length| bits | 1 << length)
}

fn country(code: &str, dial: i32, region: Region) -> String {
    let is_first = LIBRARY.get_region_for_country_code(dial).is_some_and(|first| format!("{first:?}") == code);
    let trunks = trunks(region);
    let flags = trunks | if is_first { FIRST } else { 0 };
    // they tell whether a number has its trunk prefix
    let lengths = if trunks == 0 { 0x7ffe } else { lengths(dial) };
    format!("(*b\"{code}\", {dial}, {flags:#x}, {lengths:#x})")
}

fn print(name: &str, about: &str, kind: &str, items: &[String]) {
    println!("\n/// {about}\n#[rustfmt::skip]\npub(super) const {name}: &[{kind}] = &[");
    let mut line = String::new();
    for item in items {
        if line.len() + item.len() > 110 {
            println!("    {}", line.trim_end());
            line.clear();
        }
        line.push_str(item);
        line.push_str(", ");
    }
    println!("    {}\n];", line.trim_end());
}

fn print_blocks(blocks: Vec<(u32, u8, String)>) {
    let mut by_region: BTreeMap<String, Vec<(u32, u8)>> = BTreeMap::new();
    for (first, more, region) in blocks {
        by_region.entry(region).or_default().push((first, more));
    }
    println!(
        "\n/// Numbers of shared calling codes by their first digits. Behind a country: `.` and the distance of its next block from the"
    );
    println!("/// last one, `+` and how many blocks follow directly.");
    println!("pub(super) const BLOCKS: &str = \"\\");
    let mut line = String::new();
    for (region, blocks) in by_region {
        let mut last = 0;
        let pieces = blocks.into_iter().map(|(first, more)| {
            let distance = first - last;
            last = first + u32::from(more);
            if more == 0 { format!(".{distance}") } else { format!(".{distance}+{more}") }
        });
        for piece in std::iter::once(region).chain(pieces) {
            if line.len() + piece.len() > 108 {
                println!("    {line}\\");
                line.clear();
            }
            line.push_str(&piece);
        }
    }
    println!("    {line}\\\n    \";");
}

fn main() {
    println!("//! Calling codes and numbering plans, printed by `core/examples/numbering_plan.rs`.");
    let mut by_dial: BTreeMap<i32, Vec<Region>> = BTreeMap::new();
    let mut countries: BTreeMap<String, String> = BTreeMap::new();
    for region in LIBRARY.get_supported_regions() {
        let dial = LIBRARY.get_country_code_for_region(region).expect("a calling code");
        by_dial.entry(dial).or_default().push(region);
        let code = format!("{region:?}");
        countries.insert(code.clone(), country(&code, dial, region));
    }
    let main = |dial: i32| LIBRARY.get_region_for_country_code(dial).expect("a region");
    for (code, dial) in WITHOUT_NUMBERS {
        countries.insert(code.to_owned(), country(code, dial, main(dial)));
    }
    let dials: BTreeSet<i32> = LIBRARY.get_supported_calling_codes().collect();
    let mut random = 88_172_645_463_325_252;
    let mut rows = Vec::new();
    for (dial, _) in by_dial.iter().filter(|(_, regions)| regions.len() > 1) {
        blocks(*dial, "", &mut random, &mut rows);
    }
    print(
        "COUNTRIES",
        "Every country: its calling code; its trunk prefixes as bits, with the highest bit for the first country of the code; the\n/// lengths of its national numbers as bits, all of them where there is no trunk prefix.",
        "([u8; 2], u16, u8, u16)",
        &countries.into_values().collect::<Vec<_>>(),
    );
    print(
        "TRUNKS",
        "The digits that may stand before a national number in its own country, longer ones first.",
        "&str",
        &TRUNKS.map(|text| format!("{text:?}")),
    );
    print(
        "GLOBAL",
        "Calling codes of no country.",
        "u16",
        &dials.iter().filter(|dial| !by_dial.contains_key(dial)).map(ToString::to_string).collect::<Vec<_>>(),
    );
    print_blocks(merge(rows));
}
