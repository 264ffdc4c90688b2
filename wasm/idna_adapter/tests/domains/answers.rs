//! The answers of the `idna` crate about domains, as text: a digest for every 4,096 code points, each in seven domains,
//! then 1,500 random domains with their answers. `domains.txt` records those of the server's build. Two workspaces compile
//! this file: the server's, where `idna` asks ICU4X, and the browser's, where it asks the compact tables.

use std::fmt::Write as _;

/// The recorded answers.
pub const RECORDED: &str = include_str!("../domains.txt");

const RANDOM_DOMAINS: usize = 1500;

/// All answers, in the form of the record.
pub fn all() -> String {
    let mut answers = digests();
    for domain in random_domains() {
        let code_points: Vec<String> = domain.chars().map(|c| format!("{:x}", u32::from(c))).collect();
        writeln!(answers, "{} {}", code_points.join("-"), answer(&domain)).unwrap();
    }
    answers
}

/// Fails if an answer is not the recorded one, or if the record is not whole.
pub fn check() {
    let answers = all();
    let different = answers.lines().zip(RECORDED.lines()).filter(|(answer, recorded)| answer != recorded);
    assert_eq!(different.collect::<Vec<_>>(), []);
    assert_eq!(answers.lines().count(), 0x110 + RANDOM_DOMAINS);
    assert_eq!(RECORDED.lines().count(), 0x110 + RANDOM_DOMAINS);
    let valid = RECORDED.lines().skip(0x110).filter(|line| !line.ends_with(" -")).count();
    assert!(valid > RANDOM_DOMAINS / 10, "{valid} domains are valid");
}

/// The ASCII form of a domain as core asks for it, `-` where it is invalid.
fn answer(domain: &str) -> String {
    idna::domain_to_ascii_strict(domain).unwrap_or_else(|_| "-".to_owned())
}

/// FNV-1a.
fn digest(texts: impl Iterator<Item = String>) -> u64 {
    let bytes = texts.flat_map(|text| text.into_bytes().into_iter().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A character alone, within a label, within a label from right to left, beside joiners, and in Punycode.
fn around(c: char) -> Vec<String> {
    let mut domains = vec![
        format!("{c}.com"),
        format!("a{c}b.com"),
        format!("\u{5d0}{c}\u{5d0}.com"),
        format!("\u{5d0}{c}.com"),
        format!("{c}\u{628}\u{200c}{c}.com"),
        format!("a{c}\u{301}.com"),
    ];
    let spelled = idna::punycode::encode_str(&format!("{c}x")).map(|spelled| format!("xn--{spelled}.com"));
    domains.extend(spelled);
    domains
}

fn digests() -> String {
    let mut lines = String::new();
    for block in 0..0x110u32 {
        let characters = (block * 4096..(block + 1) * 4096).filter_map(char::from_u32);
        let answers = characters.flat_map(around).map(|domain| answer(&domain));
        writeln!(lines, "{block:x} {:016x}", digest(answers)).unwrap();
    }
    lines
}

/// Domains near the limits of the rules: mixed scripts, joiners, digits of two kinds, labels already in Punycode.
fn random_domains() -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |end: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % u64::from(end)).unwrap()
    };
    let ranges = [
        (0x61, 26),
        (0x41, 26),
        (0x30, 10),
        (0x2d, 2),
        (0xa0, 0x160),
        (0x300, 0x70),
        (0x370, 0x90),
        (0x5b0, 0x40),
        (0x620, 0x60),
        (0x660, 10),
        (0x6f0, 10),
        (0x900, 0x80),
        (0x94d, 1),
        (0x200b, 5),
        (0x1e00, 0x200),
        (0x2100, 0x90),
        (0x3041, 0x60),
        (0x4e00, 0x100),
        (0xac00, 0x100),
        (0xfb50, 0x100),
        (0xff01, 0x60),
        (0x1d400, 0x200),
        (0x1e900, 0x44),
    ];
    let mut domains = Vec::new();
    while domains.len() < RANDOM_DOMAINS {
        let few: Vec<usize> = (0..3).map(|_| usize::try_from(below(23)).unwrap()).collect();
        let mut label = String::new();
        for _ in 0..=below(7) {
            let (first, many) = ranges[few[usize::try_from(below(3)).unwrap()]];
            label.extend(char::from_u32(first + below(many)));
        }
        if below(5) == 0 {
            label = idna::punycode::encode_str(&label).map_or(label, |spelled| format!("xn--{spelled}"));
        }
        domains.push(format!("{label}.{}", ["com", "рф", "Ελ", "קום"][usize::try_from(below(4)).unwrap()]));
    }
    domains
}
