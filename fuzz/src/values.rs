//! Values that users type.

use portcullis_core::model::country::CountryCode;
use portcullis_core::model::email::Email;
use portcullis_core::model::phone::{Phone, PhoneValidation, can_be_number};
use portcullis_core::model::strength::{StrengthContext, estimate, saved_by_words};

/// An address that is accepted is accepted again as it is shown, compares equal to its canonical form, and has nothing that
/// ends a line of a mail's header.
pub fn email(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(email) = Email::parse(&text) else { return };
    let again = Email::parse(email.as_str()).expect("the shown form is accepted");
    assert_eq!(again.canonical(), email.canonical());
    let canonical = Email::parse(email.canonical()).expect("the canonical form is accepted");
    assert_eq!(canonical.canonical(), email.canonical());
    assert!(!email.as_str().chars().any(char::is_control), "{:?}", email.as_str());
    assert!(email.canonical().rsplit_once('@').is_some_and(|(_, domain)| domain.is_ascii()), "{:?}", email.canonical());
}

/// The first line is the country, the rest the number. A number that is accepted is E.164 and stays the same.
pub fn phone(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (country, number) = text.split_once('\n').unwrap_or(("US", &text));
    let Ok(code) = CountryCode::parse(country) else { return };
    for validation in [PhoneValidation::E164, PhoneValidation::Strict] {
        let Ok(phone) = Phone::parse(number, &code, validation) else { continue };
        assert!(can_be_number(phone.as_str()), "{:?}", phone.as_str());
        let again = Phone::parse(phone.as_str(), &code, validation).expect("E.164 is accepted");
        assert_eq!(again.as_str(), phone.as_str());
    }
}

/// The estimates are numbers, and the score is one of five.
pub fn password_strength(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (name, password) = text.split_once('\n').unwrap_or(("", &text));
    let strength = estimate(password, &StrengthContext::new(&[name], Some(name), name, 2027));
    assert!(strength.score <= 4 && strength.guesses_log10.is_finite() && strength.guesses_log10 >= 0.0);
    assert!(saved_by_words(password).is_finite());
}
