//! Countries (ISO 3166-1 alpha-2 and other regions of the library of phone numbers) and their calling codes
//! (ITU-T E.164). The tables are made from that library's metadata.

use std::fmt;

use crate::model::code::Code;
use crate::model::numbering_plan_tables::{BLOCKS, COUNTRIES, GLOBAL, TRUNKS};
use crate::model::pasted_number::clean;

/// A country by its two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// The country of a number as a client gives it: a country (`US`) or a dial code (`+1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountryCode {
    /// A country.
    Country(Country),
    /// A calling code that some country has.
    Dial(u16),
}

/// The text is neither a country nor a dial code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an ISO 3166-1 alpha-2 code nor a dial code")]
pub struct CountryError;

impl CountryError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> Code {
        Code::CountryUnknown
    }
}

/// Part of the calling code 290, listed with the digit that tells it from Saint Helena.
const TRISTAN_DA_CUNHA: u16 = 2908;
/// The region of numbers that belong to no country (UN M49: the world).
const WORLD: Country = Country(*b"01");

impl Country {
    /// Reads two letters, in either case; `001` for numbers that belong to no country.
    ///
    /// # Errors
    /// [`CountryError`] for what no country is called.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        if text == WORLD.as_str() {
            return Ok(WORLD);
        }
        let letters: [u8; 2] = text.as_bytes().try_into().map_err(|_| CountryError)?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        let country = Self(letters);
        country.row().map(|_| country).ok_or(CountryError)
    }

    /// Two capital letters, or `001`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if *self == WORLD { "001" } else { std::str::from_utf8(&self.0).unwrap_or_default() }
    }

    fn row(self) -> Option<&'static ([u8; 2], u16, u8, u16)> {
        COUNTRIES.binary_search_by_key(&self.0, |row| row.0).ok().and_then(|at| COUNTRIES.get(at))
    }

    /// The calling code, e.g. 49.
    #[must_use]
    pub fn dial_code(self) -> u16 {
        self.row().map_or(0, |row| row.1)
    }

    /// The country that a number's own digits (E.164, without `+`) lead to, whatever anyone says of it: that of its block,
    /// else the first one of its calling code.
    #[must_use]
    pub fn of_digits(digits: &str) -> Option<Self> {
        Self::known_of_digits(digits).or_else(|| Self::first_of(calling_code(digits)?))
    }

    /// The first country of a calling code.
    fn first_of(dial: u16) -> Option<Self> {
        COUNTRIES.iter().find(|row| row.1 == dial && row.2 & FIRST != 0).map(|row| Self(row.0))
    }

    /// The same, where the numbering plan says it: the only country of the calling code, or that of the number's block.
    #[must_use]
    pub(crate) fn known_of_digits(digits: &str) -> Option<Self> {
        let dial = calling_code(digits)?;
        if GLOBAL.contains(&dial) {
            return Some(WORLD);
        }
        let block = find_block(&|block| block.has(digits));
        if block.is_some() {
            return block;
        }
        // where countries share a calling code, the first one has blocks too
        Self::first_of(dial).filter(|first| !first.has_blocks())
    }

    fn has_blocks(self) -> bool {
        find_block(&|block| block.country == self).is_some()
    }

    /// Whether [`Country::of_digits`] tells its numbers from those of others.
    #[must_use]
    pub fn is_told_by_digits(self) -> bool {
        self.row().is_some_and(|row| row.2 & FIRST != 0) || self.has_blocks()
    }

    /// The national significant number of a number as it is dialled in the country: without a trunk prefix. `None` if it
    /// is of no length that the country's numbers have.
    pub(crate) fn national_number(self, digits: &str) -> Option<&str> {
        let (_, _, trunks, lengths) = self.row()?;
        let possible = |digits: &&str| digits.len() < 16 && lengths >> digits.len() & 1 == 1;
        let own = (0_u8..).zip(TRUNKS).filter(|(at, _)| trunks >> at & 1 == 1);
        own.filter_map(|(_, trunk)| digits.strip_prefix(trunk)).chain([digits]).find(possible)
    }

    /// Every country, in the order of its letters.
    pub fn all() -> impl Iterator<Item = Self> {
        COUNTRIES.iter().map(|row| Self(row.0))
    }
}

/// The bit of a country that is the first one of its calling code.
const FIRST: u8 = 1 << 7;

/// Consecutive first digits of numbers of one country.
struct Block {
    country: Country,
    first: u32,
    more: u32,
}

impl Block {
    /// Whether a number begins with one of them.
    fn has(&self, digits: &str) -> bool {
        let first = digits.get(..=self.first.ilog10() as usize).and_then(|first| first.parse::<u32>().ok());
        first.is_some_and(|first| (self.first..=self.first + self.more).contains(&first))
    }
}

/// The country of the first block that is as wanted.
fn find_block(is_wanted: &dyn Fn(&Block) -> bool) -> Option<Country> {
    let mut block = Block { country: WORLD, first: 0, more: 0 };
    let (mut distance, mut more, mut in_more) = (0, 0, false);
    // a dot ends the block before it
    for byte in BLOCKS.bytes().chain(*b"..") {
        match byte {
            b'0'..=b'9' if in_more => more = more * 10 + u32::from(byte - b'0'),
            b'0'..=b'9' => distance = distance * 10 + u32::from(byte - b'0'),
            b'+' => in_more = true,
            _ => {
                if distance > 0 {
                    block = Block { first: block.first + block.more + distance, more, ..block };
                    if is_wanted(&block) {
                        return Some(block.country);
                    }
                    (distance, more, in_more) = (0, 0, false);
                }
                if byte != b'.' {
                    // the first letter of a country comes behind a block, the second behind the first
                    let [_, before] = block.country.0;
                    block = Block { country: Country([before, byte]), first: 0, more: 0 };
                }
            }
        }
    }
    None
}

fn is_calling_code(dial: u16) -> bool {
    GLOBAL.contains(&dial) || COUNTRIES.iter().any(|row| row.1 == dial)
}

/// The calling code that digits begin with. None begins another.
fn calling_code(digits: &str) -> Option<u16> {
    (1..=3).find_map(|length| digits.get(..length)?.parse().ok().filter(|dial| is_calling_code(*dial)))
}

impl CountryCode {
    /// Reads `US`, `us` or `+1`, without separators and invisible characters. Tristan da
    /// Cunha's `+290 8` is a dial code too.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        if text.len() > 32 {
            return Err(CountryError);
        }
        let text = clean(text);
        let Some(digits) = text.strip_prefix('+') else {
            return Country::parse(&text)
                .ok()
                .filter(|country| *country != WORLD)
                .map(Self::Country)
                .ok_or(CountryError);
        };
        let plain =
            (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let known = |dial: &u16| is_calling_code(*dial) || *dial == TRISTAN_DA_CUNHA;
        digits.parse::<u16>().ok().filter(|dial| plain && known(dial)).map(Self::Dial).ok_or(CountryError)
    }

    /// The dial code that an international number begins with.
    ///
    /// # Errors
    /// [`CountryError`] where it begins with none.
    pub fn of_international(number: &str) -> Result<Self, CountryError> {
        number.strip_prefix('+').and_then(calling_code).map(Self::Dial).ok_or(CountryError)
    }

    /// The digits that its numbers begin with.
    #[must_use]
    pub fn dial_code(&self) -> u16 {
        match self {
            Self::Country(country) => country.dial_code(),
            Self::Dial(dial) => *dial,
        }
    }

    /// The country: the first of those that a dial code may mean.
    pub(crate) fn country(self) -> Option<Country> {
        match self {
            Self::Country(country) => Some(country),
            Self::Dial(dial) => Country::of_digits(&dial.to_string()),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => f.write_str(country.as_str()),
            Self::Dial(dial) => write!(f, "+{dial}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tables_are_sorted_and_whole() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        // those of ISO 3166-1, and AC, TA and XK
        assert_eq!(COUNTRIES.len(), 249 + 3);
        for country in Country::all() {
            assert_eq!(Country::parse(country.as_str()), Ok(country));
            assert!(Country::of_digits(&country.dial_code().to_string()).is_some());
        }
    }

    #[test]
    fn reads_countries_and_dial_codes() {
        assert_eq!(CountryCode::parse("us").unwrap().to_string(), "US");
        assert_eq!(CountryCode::parse("+1").unwrap().dial_code(), 1);
        for good in ["XK", "+383", "+247", "+290", "+290 8", "+881", "+882", "+883", "\u{202d}+49\u{202c}"] {
            assert!(CountryCode::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "U", "XX", "USA", "+", "+0", "+01", "+999", "1", "+1 ä", "ÜS", "+1242", "001", "++1"] {
            assert_eq!(CountryCode::parse(bad), Err(CountryError), "{bad}");
        }
        assert_eq!(CountryCode::of_international("+493012345"), CountryCode::parse("+49"));
        assert_eq!(CountryCode::of_international("+3531234567"), CountryCode::parse("+353"));
        for bad in ["", "+", "4930123", "+999123", "+0", "US1"] {
            assert_eq!(CountryCode::of_international(bad), Err(CountryError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(text in any::<String>(), dial in 0u16..3000) {
            for text in [text, format!("+{dial}")] {
                if let Ok(code) = CountryCode::parse(&text) {
                    prop_assert_eq!(CountryCode::parse(&code.to_string()), Ok(code));
                }
            }
        }
    }

    #[test]
    fn digits_tell_countries_where_they_can() {
        let of = |digits| Country::of_digits(digits).unwrap().as_str().to_owned();
        for (digits, country) in [
            ("12125550100", "US"),
            ("12425551234", "BS"),
            ("77011234567", "KZ"),
            ("79161234567", "RU"),
            ("35312345678", "IE"),
            ("4930123456", "DE"),
            ("38344123456", "XK"),
            ("24740123", "AC"),
            ("2908123", "TA"),
            ("390669812345", "VA"),
            ("882161234567", "001"),
        ] {
            assert_eq!(of(digits), country);
        }
        assert_eq!(Country::of_digits("999123"), None);
        let told = |name: &str| Country::parse(name).unwrap().is_told_by_digits();
        assert!(["US", "CA", "BS", "KZ", "RU", "GB", "DE", "IT", "JE", "VA", "YT"].into_iter().all(told));
        assert!(!["AQ", "EH", "UM", "TF"].into_iter().any(told));
    }
}
