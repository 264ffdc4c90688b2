//! A fuzzer for the stable toolchain: mutates a corpus without knowing the code. The same seed gives the same inputs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Target;

/// The longest input, in bytes.
const LONGEST: usize = 4096;
/// Inputs of a run that no time was given for.
const INPUTS: usize = 1500;

/// Counts of a run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Inputs of the corpus.
    pub corpus: usize,
    /// Mutated inputs.
    pub mutated: usize,
}

/// Runs a target on its corpus, then on mutations of it: a fixed number of them, or as many as `time` allows.
pub fn run(name: &str, target: Target, more: &[Vec<u8>], seed: u64, time: Option<Duration>) -> Run {
    let mut corpus = read(&corpus_of(name));
    corpus.extend_from_slice(more);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for input in &corpus {
        attempt(name, target, input);
    }
    let began = Instant::now();
    let mut random = Random(seed);
    let mut mutated = 0;
    while time.map_or(mutated < INPUTS, |time| began.elapsed() < time) {
        let mut input = random.pick(&corpus).clone();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &corpus, &mut random);
        }
        input.truncate(LONGEST);
        attempt(name, target, &input);
        mutated += 1;
    }
    Run { corpus: corpus.len(), mutated }
}

/// The folder of a corpus.
#[must_use]
pub fn corpus_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// The files of a folder in the order of their names.
fn read(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file of the corpus")).collect()
}

/// Runs a target on one input. An input that breaks it is written to a file, which belongs into the corpus with the fix.
fn attempt(name: &str, target: Target, input: &[u8]) {
    let kept = KeepOnPanic { name, input };
    target(input);
    drop(kept);
}

struct KeepOnPanic<'a> {
    name: &'a str,
    input: &'a [u8],
}

impl Drop for KeepOnPanic<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let file = std::env::temp_dir().join(format!("portcullis-fuzz-{}", self.name));
        let written = std::fs::write(&file, self.input);
        eprintln!("{} breaks on {} ({written:?})", self.name, file.display());
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Pieces that parsers often get wrong.
const PIECES: [&str; 28] = [
    "\0",
    "\r\n",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "ß",
    "İ",
    "e\u{301}",
    "xn--",
    "..",
    "@",
    "\"",
    "\\",
    "'",
    "$",
    "${A}",
    "{{",
    "{%",
    "<",
    "&amp;",
    "=",
    "&",
    "%00",
    "%ff",
    "null",
    "-1",
    "18446744073709551616",
    "[[[[[[[[",
];

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + 1 + random.below(16)).min(input.len());
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.next().to_le_bytes()[0],
        2 => input.truncate(at),
        3 => drop(input.drain(at.min(end)..end)),
        4 => {
            let repeated = input[at.min(end)..end].repeat(1 + random.below(8));
            input.splice(at..at, repeated);
        }
        5 => {
            let other = random.pick(corpus);
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        6 => input.insert(at, random.next().to_le_bytes()[0]),
        _ => drop(input.splice(at..at, random.pick(&PIECES).bytes())),
    }
}
