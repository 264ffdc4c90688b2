//! Phone numbers in E.164 form, in agreement with their country.

use std::fmt;

use crate::model::code::Code;
use crate::model::country::{Country, CountryCode};
use crate::model::pasted_number::clean;

/// The longest text that is read, in bytes.
const LONGEST: usize = 96;

/// A number: `+` and 7 to 15 digits. Personal: `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    e164: String,
    country: Country,
}

/// How strictly numbers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneValidation {
    /// The shape of E.164 and the calling code.
    E164,
    /// The country's numbering plan too (where the feature `numbering-plan` is built in; the shape alone elsewhere).
    Strict,
}

/// Why a text is no number of that country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not E.164, or in no numbering plan.
    #[error("not a phone number in E.164 form")]
    Invalid,
    /// A number of another country.
    #[error("the phone number does not belong to that country")]
    CountryMismatch,
}

impl PhoneError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Invalid => Code::PhoneInvalid,
            Self::CountryMismatch => Code::PhoneCountryMismatch,
        }
    }
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// The digits of E.164 text without separators: 7 to 15, the first not zero.
fn digits_of(e164: &str) -> Option<&str> {
    let digits = e164.strip_prefix('+')?;
    let shaped = (7..=15).contains(&digits.len()) && are_digits(digits) && !digits.starts_with('0');
    shaped.then_some(digits)
}

/// Whether a text can be a number of some country: E.164, or digits as they are dialled within a country.
#[must_use]
pub fn can_be_number(text: &str) -> bool {
    let cleaned = clean(text);
    let national = (4..=17).contains(&cleaned.len()) && are_digits(&cleaned);
    text.len() <= LONGEST && (national || digits_of(&cleaned).is_some())
}

impl Phone {
    /// Reads a number of that country, in international or national form.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn parse(number: &str, code: &CountryCode, validation: PhoneValidation) -> Result<Self, PhoneError> {
        if number.len() > LONGEST {
            return Err(PhoneError::Invalid);
        }
        let e164 = international(number, *code).ok_or(PhoneError::Invalid)?;
        let digits = digits_of(&e164).ok_or(PhoneError::Invalid)?;
        if !digits.starts_with(&code.dial_code().to_string()) {
            return Err(PhoneError::CountryMismatch);
        }
        let country = match code {
            CountryCode::Country(country) => *country,
            CountryCode::Dial(_) => Country::of_digits(digits).ok_or(PhoneError::Invalid)?,
        };
        let elsewhere = Country::known_of_digits(digits).is_some_and(|known| known != country);
        if elsewhere && country.is_told_by_digits() {
            return Err(PhoneError::CountryMismatch);
        }
        if validation == PhoneValidation::Strict {
            in_plan(&e164)?;
        }
        Ok(Self { e164, country })
    }

    /// Reads a number that says itself of which country it is. A blank in front of it was a `+` before a query was decoded.
    ///
    /// # Errors
    /// [`PhoneError::Invalid`].
    pub fn parse_international(number: &str, validation: PhoneValidation) -> Result<Self, PhoneError> {
        let was_plus = number.trim_start().starts_with(|c: char| c.is_ascii_digit()) && number.starts_with(' ');
        let number = if was_plus { format!("+{number}") } else { number.to_owned() };
        let code = CountryCode::of_international(&clean(&number)).map_err(|_| PhoneError::Invalid)?;
        Self::parse(&number, &code, validation)
    }

    /// A number that was read before it was sealed, with the country derived for it.
    pub(crate) const fn from_stored(e164: String, country: Country) -> Self {
        Self { e164, country }
    }

    /// `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.e164
    }

    /// Derived: as given, or from the number.
    #[must_use]
    pub const fn country(&self) -> Country {
        self.country
    }
}

/// `+` and digits of a number in international or national form, without its trunk prefix.
fn international(number: &str, code: CountryCode) -> Option<String> {
    // `+44 (0)20` is for readers at home and abroad
    let bracket = number.find('(').unwrap_or_default();
    let (before, behind) = number.split_at_checked(bracket)?;
    let cleaned = match behind.strip_prefix("(0)").filter(|_| clean(before).starts_with('+')) {
        Some(rest) => clean(before) + &clean(rest),
        None => clean(number),
    };
    if cleaned.starts_with('+') {
        return Some(cleaned);
    }
    // the prefix of international calls that ITU-T E.164 recommends; North America has another
    if let Some(rest) = cleaned.strip_prefix("00").filter(|_| !code.dial_code().to_string().starts_with('1')) {
        return Some(format!("+{rest}"));
    }
    let country = code.country().filter(|_| are_digits(&cleaned))?;
    country.national_number(&cleaned).map(|national| format!("+{}{national}", country.dial_code()))
}

/// Whether the numbering plan has such a number.
#[cfg(feature = "numbering-plan")]
fn in_plan(e164: &str) -> Result<(), PhoneError> {
    use rlibphonenumber::PHONE_NUMBER_UTIL;
    let number = PHONE_NUMBER_UTIL.parse(e164, None).map_err(|_| PhoneError::Invalid)?;
    if PHONE_NUMBER_UTIL.is_valid_number(&number) { Ok(()) } else { Err(PhoneError::Invalid) }
}

#[cfg(not(feature = "numbering-plan"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as with the plans")]
const fn in_plan(_: &str) -> Result<(), PhoneError> {
    Ok(())
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(number: &str, code: &str) -> Result<Phone, PhoneError> {
        Phone::parse(number, &CountryCode::parse(code).unwrap(), PhoneValidation::E164)
    }

    #[test]
    fn the_example_of_the_readme_is_accepted() {
        let phone = parse("+1234567890", "US").unwrap();
        assert_eq!((phone.as_str(), phone.country().as_str()), ("+1234567890", "US"));
    }

    #[test]
    fn number_and_country_agree() {
        assert_eq!(parse("+49 (30) 123-45.67", "DE").unwrap().as_str(), "+49301234567");
        assert_eq!(parse("+49301234567", "+49").unwrap().country().as_str(), "DE");
        assert_eq!(parse("+12425551234", "+1").unwrap().country().as_str(), "BS");
        assert_eq!(parse("+49301234567", "US"), Err(PhoneError::CountryMismatch));
        let international = |number: &str| Phone::parse_international(number, PhoneValidation::E164);
        assert_eq!(international("+49 30 1234567"), parse("+49301234567", "DE"));
        assert_eq!(international("+99912345678"), Err(PhoneError::Invalid));
        assert_eq!(international("49301234567"), Err(PhoneError::Invalid));
        assert_eq!(international(" 49301234567"), parse("+49301234567", "DE"));
        assert_eq!(international("hello"), Err(PhoneError::Invalid));
        for bad in [
            "",
            "+",
            "hello",
            "123456789",
            "0049301234567",
            "+0123456789",
            "+123456",
            "+1234567890123456",
            "+1abc567890",
            "+１２３４５６７８",
        ] {
            assert_eq!(parse(bad, "US"), Err(PhoneError::Invalid), "{bad}");
        }
    }

    #[test]
    fn a_known_region_is_the_country_of_the_number() {
        for (number, right, wrong) in [
            ("+14165550123", "CA", "US"),
            ("+12125552368", "US", "CA"),
            ("+12425551234", "BS", "US"),
            ("+447400123456", "GB", "JE"),
            ("+441534123456", "JE", "GB"),
            ("+77011234567", "KZ", "RU"),
            ("+390669812345", "VA", "IT"),
            ("+38344123456", "XK", "RS"),
        ] {
            assert_eq!(parse(number, right).unwrap().country().as_str(), right, "{number}");
            assert_eq!(parse(number, wrong), Err(PhoneError::CountryMismatch), "{number} {wrong}");
        }
        // the library has no numbers of these
        assert_eq!(parse("+672112345", "AQ").unwrap().country().as_str(), "AQ");
        // satellites and networks belong to no country
        assert_eq!(parse("+882161234567", "+882").unwrap().country().as_str(), "001");
        assert_eq!(parse("+2908123", "+290 8").unwrap().country().as_str(), "TA");
    }

    #[test]
    fn a_national_number_is_read_by_its_country() {
        for (number, code, e164) in [
            ("0151 23456789", "DE", "+4915123456789"),
            ("0151 23456789", "+49", "+4915123456789"),
            ("0049 151 23456789", "DE", "+4915123456789"),
            ("+49 (0)151 23456789", "DE", "+4915123456789"),
            ("(0)151 23456789", "DE", "+4915123456789"),
            ("(212) 555-2368", "US", "+12125552368"),
            ("1-212-555-2368", "US", "+12125552368"),
            ("06 698 12345", "VA", "+390669812345"),
            ("8 (916) 123-45-67", "RU", "+79161234567"),
            ("06 20 123 4567", "HU", "+36201234567"),
        ] {
            assert_eq!(parse(number, code).unwrap().as_str(), e164, "{number}");
        }
        for number in ["12", "1", "0", "555-2368", "21255523681", "0151x23456789"] {
            assert_eq!(parse(number, "US"), Err(PhoneError::Invalid), "{number}");
        }
    }

    #[test]
    fn a_pasted_number_loses_separators_and_what_is_invisible() {
        for text in [
            "\u{202d}+49 30 1234567\u{202c}",
            "\u{2068}+49 30 1234567\u{2069}",
            "＋49 30 1234567",
            "+49–30–1234567",
            "+49\u{2009}30\u{3000}123.45/67",
            "\u{feff}+49\u{ad}301234567\n",
            "[+49] 30・1234567",
        ] {
            assert_eq!(parse(text, "DE").unwrap().as_str(), "+49301234567", "{text:?}");
        }
    }

    #[cfg(feature = "numbering-plan")]
    #[test]
    fn strict_asks_the_numbering_plan() {
        let strict = |number: &str, code: &str| {
            Phone::parse(number, &CountryCode::parse(code).unwrap(), PhoneValidation::Strict)
        };
        assert!(strict("+12125552368", "US").is_ok());
        assert_eq!(strict("+1234567890", "US"), Err(PhoneError::Invalid));
        assert_eq!(strict("+14165550123", "US"), Err(PhoneError::CountryMismatch));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(digits in "[0-9 ().-]{1,20}", dial in 1u16..999, text in any::<String>()) {
            if let Ok(code) = CountryCode::parse(&format!("+{dial}")) {
                if let Ok(phone) = Phone::parse(&format!("+{dial}{digits}"), &code, PhoneValidation::E164) {
                    prop_assert_eq!(Phone::parse(phone.as_str(), &code, PhoneValidation::E164), Ok(phone.clone()));
                    prop_assert_eq!(Phone::from_stored(phone.as_str().to_owned(), phone.country()), phone);
                }
                let _ = Phone::parse(&text, &code, PhoneValidation::Strict);
            }
        }
    }
}
