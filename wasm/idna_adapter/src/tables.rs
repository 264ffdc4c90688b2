//! The tables, unpacked once.
//!
//! Packed: numbers of seven bits a byte, the lowest first, the eighth bit where more follow. First what code points are:
//! how many kinds, and each ([`Kind`]); how many runs of code points of one kind, how long each is, then a byte each for
//! its kind. Then three maps of a character to several: canonical decompositions by one step, compatibility
//! decompositions in full, and what UTS 46 maps a character to where that is not what it maps the characters of its
//! compatibility decomposition to. Of a map: how many characters, how far each is from the one before, a byte each for how
//! many it becomes, then these, each as its distance from the one at the same place of the entry before (or, where that
//! one is shorter, from the one before it), its sign in the lowest bit. At the end the characters that are never composed
//! again: how many, and how far each is from the one before.

use std::sync::OnceLock;

static PACKED: &[u8] = include_bytes!("tables.bin");

/// The properties of a code point, in one number: status (two bits), mark (one), direction (three), joining
/// (three), and above them the combining class.
#[derive(Debug, Clone, Copy)]
pub struct Kind(u32);

/// The status of a character in UTS 46.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Keeps or maps it.
    Taken,
    /// Drops it.
    Ignored,
    /// Refuses it.
    Disallowed,
}

/// Directions; those that domain names never tell apart are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bidi {
    /// L.
    Left,
    /// R and AL.
    Right,
    /// EN.
    EuropeanNumber,
    /// AN.
    ArabicNumber,
    /// NSM.
    NonspacingMark,
    /// ES, CS, ET, ON and BN.
    Neutral,
    /// All others.
    Other,
}

/// Ways of joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// U and C.
    No,
    /// D.
    Dual,
    /// L.
    Left,
    /// R.
    Right,
    /// T.
    Transparent,
}

impl Kind {
    pub fn status(self) -> Status {
        match self.0 & 3 {
            0 => Status::Taken,
            1 => Status::Ignored,
            _ => Status::Disallowed,
        }
    }

    pub fn is_mark(self) -> bool {
        self.0 & 4 != 0
    }

    pub fn bidi(self) -> Bidi {
        match (self.0 >> 3) & 7 {
            0 => Bidi::Left,
            1 => Bidi::Right,
            2 => Bidi::EuropeanNumber,
            3 => Bidi::ArabicNumber,
            4 => Bidi::NonspacingMark,
            5 => Bidi::Neutral,
            _ => Bidi::Other,
        }
    }

    pub fn joining(self) -> Joining {
        match (self.0 >> 6) & 7 {
            1 => Joining::Dual,
            2 => Joining::Left,
            3 => Joining::Right,
            4 => Joining::Transparent,
            _ => Joining::No,
        }
    }

    pub fn combining_class(self) -> u8 {
        u8::try_from(self.0 >> 9).unwrap_or(u8::MAX)
    }
}

/// Characters that become others.
#[derive(Default)]
pub struct Map {
    from: Vec<u32>,
    /// Where in `to` each one's characters begin, and where the last one's end.
    starts: Vec<usize>,
    to: Vec<char>,
}

impl Map {
    /// The mapping of a character, if it has one.
    pub fn get(&self, c: char) -> Option<&[char]> {
        self.of(self.from.binary_search(&u32::from(c)).ok()?)
    }

    fn of(&self, at: usize) -> Option<&[char]> {
        self.to.get(*self.starts.get(at)?..*self.starts.get(at + 1)?)
    }
}

/// All tables.
pub struct Tables {
    /// The last code point of each run, and the run's kind.
    runs: Vec<(u32, Kind)>,
    /// One step of canonical decomposition.
    pub canonical: Map,
    /// Compatibility decompositions, in full.
    pub compatible: Map,
    /// The mappings that only UTS 46 has.
    pub mapped: Map,
    /// Pairs that compose, sorted.
    pairs: Vec<(char, char, char)>,
}

impl Tables {
    /// The one copy of this process.
    pub fn get() -> &'static Self {
        static TABLES: OnceLock<Tables> = OnceLock::new();
        TABLES.get_or_init(|| Self::unpack(Reader(PACKED)))
    }

    fn unpack(mut packed: Reader) -> Self {
        let kinds = packed.numbers();
        let lengths = packed.numbers();
        let mut end = 0;
        let runs = lengths.iter().map(|length| {
            end += length;
            let kind = kinds.get(usize::from(packed.byte())).copied().unwrap_or_default();
            (end.saturating_sub(1), Kind(kind))
        });
        let runs = runs.collect();
        let [canonical, compatible, mapped] = std::array::from_fn(|_| packed.map());
        let never = packed.ascending();
        let mut pairs = Vec::new();
        for (at, composed) in canonical.from.iter().enumerate() {
            if let (Some([first, second]), Err(_)) = (canonical.of(at), never.binary_search(composed)) {
                let pair = (*first, *second, character(*composed));
                let place = pairs.partition_point(|other| *other < pair);
                pairs.insert(place, pair);
            }
        }
        Self { runs, canonical, compatible, mapped, pairs }
    }

    /// The properties of a character.
    pub fn kind(&self, c: char) -> Kind {
        let at = self.runs.partition_point(|(last, _)| *last < u32::from(c));
        self.runs.get(at).map_or(Kind(0), |(_, kind)| *kind)
    }

    /// The character that two are together.
    pub fn compose(&self, first: char, second: char) -> Option<char> {
        let at = self.pairs.partition_point(|pair| (pair.0, pair.1) < (first, second));
        self.pairs.get(at).filter(|pair| (pair.0, pair.1) == (first, second)).map(|pair| pair.2)
    }
}

/// The bytes that are not read yet. At its end it reads zeros.
struct Reader(&'static [u8]);

impl Reader {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            number |= u32::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 || shift > 21 {
                return number;
            }
        }
    }

    /// How many, and these.
    fn numbers(&mut self) -> Vec<u32> {
        (0..self.number()).map(|_| self.number()).collect()
    }

    /// Numbers by their distances.
    fn ascending(&mut self) -> Vec<u32> {
        let mut numbers = self.numbers();
        let mut last = 0;
        for number in &mut numbers {
            last += *number;
            *number = last;
        }
        numbers
    }

    fn map(&mut self) -> Map {
        let from = self.ascending();
        let mut starts = vec![0];
        let mut end = 0;
        for _ in &from {
            end += usize::from(self.byte());
            starts.push(end);
        }
        let mut map = Map { from, starts, to: Vec::with_capacity(end) };
        let (mut previous, mut last) = (0, 0);
        for at in 0..map.from.len() {
            let (start, next) = (map.to.len(), map.starts.get(at + 1).copied().unwrap_or_default());
            for place in start..next {
                let above = Some(previous + place - start).filter(|above| *above < start);
                last = above.and_then(|above| map.to.get(above)).map_or(last, |above| u32::from(*above));
                let distance = self.number();
                let distance = if distance & 1 == 0 { distance >> 1 } else { !(distance >> 1) };
                last = last.wrapping_add(distance);
                map.to.push(character(last));
            }
            (previous, last) = (start, 0);
        }
        map
    }
}

fn character(number: u32) -> char {
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_read_and_in_order() {
        let tables = Tables::get();
        assert_eq!(tables.runs.last().map(|(last, _)| *last), Some(0x0010_ffff));
        assert!(tables.runs.is_sorted_by(|one, other| one.0 < other.0));
        assert!(tables.pairs.is_sorted_by(|one, other| (one.0, one.1) < (other.0, other.1)));
        for map in [&tables.canonical, &tables.compatible, &tables.mapped] {
            assert!(map.from.is_sorted_by(|one, other| one < other));
            assert_eq!(map.starts.last(), Some(&map.to.len()));
            assert!(!map.to.contains(&char::REPLACEMENT_CHARACTER));
        }
    }

    #[test]
    fn a_reader_at_its_end_reads_zeros() {
        let mut cut = Reader(&[0x85, 0x01, 0xff]);
        assert_eq!((cut.number(), cut.number(), cut.number(), cut.byte()), (133, 127, 0, 0));
    }
}
