//! The inputs of the parity tests, for Rust and the browser. The same every time, from a generator with a fixed
//! seed, from short lists and from the words that strength is measured by.

pub mod passwords;
pub mod people;

/// Everything.
pub struct Corpus {
    /// 2,400 addresses.
    pub emails: Vec<String>,
    /// 1,200 numbers, each with the text given as its country.
    pub phones: Vec<(String, String)>,
    /// 1,200 names.
    pub names: Vec<String>,
    /// 10,000 passwords.
    pub passwords: Vec<String>,
}

impl Corpus {
    /// Makes it.
    #[must_use]
    pub fn new() -> Self {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        Self {
            emails: people::emails(&mut dice),
            phones: people::phones(&mut dice),
            names: people::names(&mut dice),
            passwords: passwords::passwords(&mut dice),
        }
    }
}

/// Texts that have broken something somewhere: directions, joiners, marks without end, the edges of planes.
pub const HOSTILE: [&str; 40] = [
    "",
    " ",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{ad}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}evil",
    "\u{2066}x\u{2069}",
    "\u{200d}",
    "\u{200b}\u{200b}",
    "\u{feff}x",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{e0001}\u{e0041}",
    "e\u{301}\u{301}\u{301}\u{301}",
    "\u{301}",
    "\u{1112}\u{1161}\u{11ab}",
    "\u{fdfa}",
    "\u{1f1}",
    "\u{130}stanbul",
    "Ma\u{df}e",
    "\u{3a3}\u{3c3}\u{3c2}",
    "\u{212a}elvin",
    "\u{ff21}\u{ff22}",
    "\u{1d400}\u{1d401}",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "हिन्दी",
    "العربية",
    "עברית",
    "ไทย",
    "xn--a",
    "xn--ls8h",
    "a\u{338}b",
    "\r\nBcc: x@example.com",
];

/// Chance that is the same every time (`SplitMix64`).
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// Chooses one of several values.
    pub fn of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len())]
    }

    /// Chooses one of many words.
    pub fn of_words(&mut self, words: &[String]) -> String {
        words[self.below(words.len())].clone()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
