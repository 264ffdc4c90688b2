//! Phone numbers in E.164 form, in agreement with their country.

use std::fmt;

use crate::model::code::Code;
use crate::model::country::{Country, CountryCode};

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

/// What people write between digits goes; nothing else is changed. Bounded: no number is this long.
#[must_use]
pub fn strip_separators(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}' | '\u{2011}'));
    kept.take(32).collect()
}

/// The digits of E.164 text without separators: 7 to 15, the first not zero.
fn digits_of(e164: &str) -> Option<&str> {
    let digits = e164.strip_prefix('+')?;
    let shaped =
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    shaped.then_some(digits)
}

/// Whether a text has the shape of E.164, separators aside.
#[must_use]
pub fn is_e164(text: &str) -> bool {
    text.len() <= 64 && digits_of(&strip_separators(text)).is_some()
}

impl Phone {
    /// Reads a number.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn parse(number: &str, code: &CountryCode, validation: PhoneValidation) -> Result<Self, PhoneError> {
        if number.len() > 64 {
            return Err(PhoneError::Invalid);
        }
        let e164 = strip_separators(number);
        let digits = digits_of(&e164).ok_or(PhoneError::Invalid)?;
        let dial = code.dial_code();
        let national = digits.strip_prefix(&dial.to_string()).ok_or(PhoneError::CountryMismatch)?;
        let country = match code {
            CountryCode::Country(country) => *country,
            CountryCode::Dial(dial) => Country::of_number(*dial, national).ok_or(PhoneError::Invalid)?,
        };
        if validation == PhoneValidation::Strict {
            in_plan(&e164, *code, country)?;
        }
        Ok(Self { e164, country })
    }

    /// Reads a number that says itself of which country it is.
    ///
    /// # Errors
    /// [`PhoneError`].
    pub fn parse_international(number: &str, validation: PhoneValidation) -> Result<Self, PhoneError> {
        if !is_e164(number) {
            return Err(PhoneError::Invalid);
        }
        let code = CountryCode::of_international(&strip_separators(number)).map_err(|_| PhoneError::Invalid)?;
        Self::parse(number, &code, validation)
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

/// Whether the numbering plan has such a number, in that country where one was named.
#[cfg(feature = "numbering-plan")]
fn in_plan(e164: &str, code: CountryCode, country: Country) -> Result<(), PhoneError> {
    use rlibphonenumber::PHONE_NUMBER_UTIL;
    let number = PHONE_NUMBER_UTIL.parse(e164, None).map_err(|_| PhoneError::Invalid)?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return Err(PhoneError::Invalid);
    }
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&number);
    match (code, region) {
        (CountryCode::Country(_), Some(region)) if format!("{region:?}") != country.as_str() => {
            Err(PhoneError::CountryMismatch)
        }
        _ => Ok(()),
    }
}

#[cfg(not(feature = "numbering-plan"))]
#[expect(clippy::unnecessary_wraps, reason = "the same shape as with the plans")]
const fn in_plan(_: &str, _: CountryCode, _: Country) -> Result<(), PhoneError> {
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
        for bad in [
            "",
            "+",
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
