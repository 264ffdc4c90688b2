//! Countries (ISO 3166-1 alpha-2) and their calling codes (ITU-T E.164).

use std::fmt;

use crate::model::code::Code;

/// A country by its two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// What a client may say of a number's country: the country (`US`) or a dial code (`+1`).
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

impl Country {
    /// Reads two letters, in either case.
    ///
    /// # Errors
    /// [`CountryError`] for what no country is called.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        let letters: [u8; 2] = text.as_bytes().try_into().map_err(|_| CountryError)?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        TABLE.binary_search_by_key(&letters, |row| row.0).map(|_| Self(letters)).map_err(|_| CountryError)
    }

    /// Two capital letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The calling code, e.g. 49.
    #[must_use]
    pub fn dial_code(self) -> u16 {
        let row = TABLE.binary_search_by_key(&self.0, |row| row.0).ok().and_then(|at| TABLE.get(at));
        row.map_or(0, |row| row.1)
    }

    /// The country of a number whose calling code is known: the only one that has it; of several the area code's in
    /// North America, else the largest.
    #[must_use]
    pub(crate) fn of_number(dial: u16, national: &str) -> Option<Self> {
        if dial == 1 {
            let area = national.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let row = area.and_then(|area| NORTH_AMERICA.binary_search_by_key(&area, |row| row.0).ok());
            if let Some(row) = row.and_then(|at| NORTH_AMERICA.get(at)) {
                return Some(Self(row.1));
            }
        }
        // Kazakhstan has its part of Russia's code
        if dial == 7 && national.starts_with(['6', '7']) {
            return Some(Self(*b"KZ"));
        }
        let main = MAIN.iter().find(|row| row.0 == dial).map(|row| row.1);
        main.or_else(|| TABLE.iter().find(|row| row.1 == dial).map(|row| row.0)).map(Self)
    }

    /// The country that a number's own digits (E.164, without `+`) lead to, whatever anyone says of it.
    #[must_use]
    pub fn of_digits(digits: &str) -> Option<Self> {
        (1..=3).rev().find_map(|length| {
            let (dial, national) = digits.split_at_checked(length)?;
            let dial = dial.parse().ok().filter(|dial| TABLE.iter().any(|row| row.1 == *dial))?;
            Self::of_number(dial, national)
        })
    }

    /// Whether [`Country::of_digits`] tells its numbers from those of others.
    #[must_use]
    pub fn is_told_by_digits(self) -> bool {
        let dial = self.dial_code();
        self.0 == *b"KZ"
            || Self::of_number(dial, "") == Some(self)
            || (dial == 1 && NORTH_AMERICA.iter().any(|row| row.1 == self.0))
    }

    /// Every country, in the order of its letters.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row.0))
    }
}

impl CountryCode {
    /// Reads `US`, `us` or `+1`; spaces around are forgiven.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        let text = text.trim_matches(' ');
        let Some(digits) = text.strip_prefix('+') else { return Country::parse(text).map(Self::Country) };
        let plain =
            (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        let dial = digits.parse::<u16>().ok().filter(|dial| plain && TABLE.iter().any(|row| row.1 == *dial));
        dial.map(Self::Dial).ok_or(CountryError)
    }

    /// The dial code that an international number begins with. No calling code begins another.
    ///
    /// # Errors
    /// [`CountryError`] where it begins with none.
    pub fn of_international(number: &str) -> Result<Self, CountryError> {
        let mut codes = (2..=4).filter_map(|end| number.get(..end).filter(|code| code.starts_with('+')));
        codes.find_map(|code| Self::parse(code).ok()).ok_or(CountryError)
    }

    /// The calling code.
    #[must_use]
    pub fn dial_code(&self) -> u16 {
        match self {
            Self::Country(country) => country.dial_code(),
            Self::Dial(dial) => *dial,
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

/// Every country with its calling code, by its letters.
#[rustfmt::skip]
const TABLE: &[([u8; 2], u16)] = &[
    (*b"AD", 376), (*b"AE", 971), (*b"AF", 93), (*b"AG", 1), (*b"AI", 1), (*b"AL", 355), (*b"AM", 374),
    (*b"AO", 244), (*b"AQ", 672), (*b"AR", 54), (*b"AS", 1), (*b"AT", 43), (*b"AU", 61), (*b"AW", 297),
    (*b"AX", 358), (*b"AZ", 994), (*b"BA", 387), (*b"BB", 1), (*b"BD", 880), (*b"BE", 32), (*b"BF", 226),
    (*b"BG", 359), (*b"BH", 973), (*b"BI", 257), (*b"BJ", 229), (*b"BL", 590), (*b"BM", 1), (*b"BN", 673),
    (*b"BO", 591), (*b"BQ", 599), (*b"BR", 55), (*b"BS", 1), (*b"BT", 975), (*b"BV", 47), (*b"BW", 267),
    (*b"BY", 375), (*b"BZ", 501), (*b"CA", 1), (*b"CC", 61), (*b"CD", 243), (*b"CF", 236), (*b"CG", 242),
    (*b"CH", 41), (*b"CI", 225), (*b"CK", 682), (*b"CL", 56), (*b"CM", 237), (*b"CN", 86), (*b"CO", 57),
    (*b"CR", 506), (*b"CU", 53), (*b"CV", 238), (*b"CW", 599), (*b"CX", 61), (*b"CY", 357), (*b"CZ", 420),
    (*b"DE", 49), (*b"DJ", 253), (*b"DK", 45), (*b"DM", 1), (*b"DO", 1), (*b"DZ", 213), (*b"EC", 593),
    (*b"EE", 372), (*b"EG", 20), (*b"EH", 212), (*b"ER", 291), (*b"ES", 34), (*b"ET", 251), (*b"FI", 358),
    (*b"FJ", 679), (*b"FK", 500), (*b"FM", 691), (*b"FO", 298), (*b"FR", 33), (*b"GA", 241), (*b"GB", 44),
    (*b"GD", 1), (*b"GE", 995), (*b"GF", 594), (*b"GG", 44), (*b"GH", 233), (*b"GI", 350), (*b"GL", 299),
    (*b"GM", 220), (*b"GN", 224), (*b"GP", 590), (*b"GQ", 240), (*b"GR", 30), (*b"GS", 500), (*b"GT", 502),
    (*b"GU", 1), (*b"GW", 245), (*b"GY", 592), (*b"HK", 852), (*b"HM", 672), (*b"HN", 504), (*b"HR", 385),
    (*b"HT", 509), (*b"HU", 36), (*b"ID", 62), (*b"IE", 353), (*b"IL", 972), (*b"IM", 44), (*b"IN", 91),
    (*b"IO", 246), (*b"IQ", 964), (*b"IR", 98), (*b"IS", 354), (*b"IT", 39), (*b"JE", 44), (*b"JM", 1),
    (*b"JO", 962), (*b"JP", 81), (*b"KE", 254), (*b"KG", 996), (*b"KH", 855), (*b"KI", 686), (*b"KM", 269),
    (*b"KN", 1), (*b"KP", 850), (*b"KR", 82), (*b"KW", 965), (*b"KY", 1), (*b"KZ", 7), (*b"LA", 856),
    (*b"LB", 961), (*b"LC", 1), (*b"LI", 423), (*b"LK", 94), (*b"LR", 231), (*b"LS", 266), (*b"LT", 370),
    (*b"LU", 352), (*b"LV", 371), (*b"LY", 218), (*b"MA", 212), (*b"MC", 377), (*b"MD", 373), (*b"ME", 382),
    (*b"MF", 590), (*b"MG", 261), (*b"MH", 692), (*b"MK", 389), (*b"ML", 223), (*b"MM", 95), (*b"MN", 976),
    (*b"MO", 853), (*b"MP", 1), (*b"MQ", 596), (*b"MR", 222), (*b"MS", 1), (*b"MT", 356), (*b"MU", 230),
    (*b"MV", 960), (*b"MW", 265), (*b"MX", 52), (*b"MY", 60), (*b"MZ", 258), (*b"NA", 264), (*b"NC", 687),
    (*b"NE", 227), (*b"NF", 672), (*b"NG", 234), (*b"NI", 505), (*b"NL", 31), (*b"NO", 47), (*b"NP", 977),
    (*b"NR", 674), (*b"NU", 683), (*b"NZ", 64), (*b"OM", 968), (*b"PA", 507), (*b"PE", 51), (*b"PF", 689),
    (*b"PG", 675), (*b"PH", 63), (*b"PK", 92), (*b"PL", 48), (*b"PM", 508), (*b"PN", 64), (*b"PR", 1),
    (*b"PS", 970), (*b"PT", 351), (*b"PW", 680), (*b"PY", 595), (*b"QA", 974), (*b"RE", 262), (*b"RO", 40),
    (*b"RS", 381), (*b"RU", 7), (*b"RW", 250), (*b"SA", 966), (*b"SB", 677), (*b"SC", 248), (*b"SD", 249),
    (*b"SE", 46), (*b"SG", 65), (*b"SH", 290), (*b"SI", 386), (*b"SJ", 47), (*b"SK", 421), (*b"SL", 232),
    (*b"SM", 378), (*b"SN", 221), (*b"SO", 252), (*b"SR", 597), (*b"SS", 211), (*b"ST", 239), (*b"SV", 503),
    (*b"SX", 1), (*b"SY", 963), (*b"SZ", 268), (*b"TC", 1), (*b"TD", 235), (*b"TF", 262), (*b"TG", 228),
    (*b"TH", 66), (*b"TJ", 992), (*b"TK", 690), (*b"TL", 670), (*b"TM", 993), (*b"TN", 216), (*b"TO", 676),
    (*b"TR", 90), (*b"TT", 1), (*b"TV", 688), (*b"TW", 886), (*b"TZ", 255), (*b"UA", 380), (*b"UG", 256),
    (*b"UM", 1), (*b"US", 1), (*b"UY", 598), (*b"UZ", 998), (*b"VA", 39), (*b"VC", 1), (*b"VE", 58),
    (*b"VG", 1), (*b"VI", 1), (*b"VN", 84), (*b"VU", 678), (*b"WF", 681), (*b"WS", 685), (*b"YE", 967),
    (*b"YT", 262), (*b"ZA", 27), (*b"ZM", 260), (*b"ZW", 263),
];

/// Of the calling codes that several countries share, the one to assume.
#[rustfmt::skip]
const MAIN: &[(u16, [u8; 2])] = &[
    (1, *b"US"), (7, *b"RU"), (39, *b"IT"), (44, *b"GB"), (47, *b"NO"), (61, *b"AU"), (64, *b"NZ"), (212, *b"MA"),
    (262, *b"RE"), (358, *b"FI"), (500, *b"FK"), (590, *b"GP"), (599, *b"CW"), (672, *b"NF"),
];

/// North American area codes outside the United States.
#[rustfmt::skip]
const NORTH_AMERICA: &[(u16, [u8; 2])] = &[
    (204, *b"CA"), (226, *b"CA"), (236, *b"CA"), (242, *b"BS"), (246, *b"BB"), (249, *b"CA"), (250, *b"CA"), (257, *b"CA"),
    (263, *b"CA"), (264, *b"AI"), (268, *b"AG"), (284, *b"VG"), (289, *b"CA"), (306, *b"CA"), (340, *b"VI"), (343, *b"CA"),
    (345, *b"KY"), (354, *b"CA"), (365, *b"CA"), (367, *b"CA"), (368, *b"CA"), (382, *b"CA"), (403, *b"CA"), (416, *b"CA"),
    (418, *b"CA"), (428, *b"CA"), (431, *b"CA"), (437, *b"CA"), (438, *b"CA"), (441, *b"BM"), (450, *b"CA"), (460, *b"CA"),
    (468, *b"CA"), (473, *b"GD"), (474, *b"CA"), (506, *b"CA"), (514, *b"CA"), (519, *b"CA"), (537, *b"CA"), (548, *b"CA"),
    (579, *b"CA"), (581, *b"CA"), (584, *b"CA"), (587, *b"CA"), (604, *b"CA"), (613, *b"CA"), (639, *b"CA"), (647, *b"CA"),
    (649, *b"TC"), (658, *b"JM"), (664, *b"MS"), (670, *b"MP"), (671, *b"GU"), (672, *b"CA"), (683, *b"CA"), (684, *b"AS"),
    (705, *b"CA"), (709, *b"CA"), (721, *b"SX"), (742, *b"CA"), (753, *b"CA"), (758, *b"LC"), (767, *b"DM"), (778, *b"CA"),
    (780, *b"CA"), (782, *b"CA"), (784, *b"VC"), (787, *b"PR"), (807, *b"CA"), (809, *b"DO"), (819, *b"CA"), (825, *b"CA"),
    (829, *b"DO"), (849, *b"DO"), (867, *b"CA"), (868, *b"TT"), (869, *b"KN"), (873, *b"CA"), (876, *b"JM"), (879, *b"CA"),
    (902, *b"CA"), (905, *b"CA"), (939, *b"PR"), (942, *b"CA"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tables_are_sorted_and_whole() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert!(NORTH_AMERICA.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(TABLE.len(), 249);
        for country in Country::all() {
            assert_eq!(Country::parse(country.as_str()), Ok(country));
            assert!(Country::of_number(country.dial_code(), "").is_some());
        }
    }

    #[test]
    fn reads_countries_and_dial_codes() {
        assert_eq!(CountryCode::parse("us").unwrap().to_string(), "US");
        assert_eq!(CountryCode::parse("+1").unwrap().dial_code(), 1);
        for bad in ["", "U", "XX", "USA", "+", "+0", "+01", "+999", "1", "+1 ä", "ÜS", "+-1"] {
            assert_eq!(CountryCode::parse(bad), Err(CountryError), "{bad}");
        }
        assert_eq!(Country::of_number(1, "2425551234").unwrap().as_str(), "BS");
        assert_eq!(Country::of_number(1, "2125551234").unwrap().as_str(), "US");
        assert_eq!(Country::of_number(7, "").unwrap().as_str(), "RU");
        assert_eq!(CountryCode::of_international("+493012345"), CountryCode::parse("+49"));
        assert_eq!(CountryCode::of_international("+3531234567"), CountryCode::parse("+353"));
        for bad in ["", "+", "4930123", "+999123", "+0", "US1"] {
            assert_eq!(CountryCode::of_international(bad), Err(CountryError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(text in any::<String>(), dial in 0u16..1100) {
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
        ] {
            assert_eq!(of(digits), country);
        }
        assert_eq!(Country::of_digits("999123"), None);
        let told = |name: &str| Country::parse(name).unwrap().is_told_by_digits();
        assert!(["US", "CA", "BS", "KZ", "RU", "GB", "DE", "IT"].into_iter().all(told));
        assert!(!["JE", "IM", "VA", "SJ", "YT"].into_iter().any(told));
    }
}
