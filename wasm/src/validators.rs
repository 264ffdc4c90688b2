//! E-mail, phone, name, country, password policy and a whole registration.

use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::email::Email;
use portcullis_core::model::name::PersonName;
use portcullis_core::model::password::PasswordRules;
use portcullis_core::model::phone::{Phone, PhoneValidation};
use portcullis_core::model::registration_form::{
    FormRules, RegistrationForm, parse_country_code, parse_phone, parse_recipient, parse_unmeasured_password,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::rows;

const NO_SCORE: u8 = 0;

/// An address to write to: as shown, and as compared.
#[wasm_bindgen]
#[must_use]
pub fn email(text: &str, smtputf8: bool) -> Vec<String> {
    rows::of(parse_recipient(text, smtputf8), |email: &Email| {
        vec![email.as_str().to_owned(), email.canonical().to_owned()]
    })
}

/// A number of a country: E.164, and the country.
#[wasm_bindgen]
#[must_use]
pub fn phone(number: &str, country_code: &str) -> Vec<String> {
    rows::of(parse_country_code(country_code).and_then(|code| parse_phone(number, &code, PhoneValidation::E164)), cells)
}

/// A number that names its country itself.
#[wasm_bindgen]
#[must_use]
pub fn international_phone(number: &str) -> Vec<String> {
    let parsed = Phone::parse_international(number, PhoneValidation::E164);
    rows::of(parsed.map_err(|error| vec![Violation::new("phone", error.code())]), cells)
}

/// A name, in its normal form.
#[wasm_bindgen]
#[must_use]
pub fn name(text: &str) -> Vec<String> {
    let parsed = PersonName::parse(text).map_err(|error| vec![Violation::new("name", error.code())]);
    rows::of(parsed, |name| vec![name.as_str().to_owned()])
}

/// A country or a dial code.
#[wasm_bindgen]
#[must_use]
pub fn country_code(text: &str) -> Vec<String> {
    rows::of(parse_country_code(text), |code| vec![code.to_string()])
}

/// A new password by its length alone, in its normal form.
#[wasm_bindgen]
#[must_use]
pub fn password_policy(text: &str, min_length: usize, max_length: usize) -> Vec<String> {
    let rules = PasswordRules { min_length, max_length, min_score: NO_SCORE };
    rows::of(parse_unmeasured_password(text, &rules), |password| vec![password.expose().to_owned()])
}

/// A whole registration, of the password only its length. Fields in the order of the form; one that is missing is
/// `None`.
#[wasm_bindgen]
#[must_use]
#[expect(clippy::too_many_arguments, reason = "one for each field of the form, and one for each rule")]
pub fn registration(
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    country_code: Option<String>,
    password: Option<String>,
    min_length: usize,
    max_length: usize,
    smtputf8: bool,
) -> Vec<String> {
    let passwords = PasswordRules { min_length, max_length, min_score: NO_SCORE };
    // name and year matter for a password's strength alone, which the other module measures
    let rules =
        FormRules { passwords: &passwords, smtputf8, phones: PhoneValidation::E164, app_name: "", current_year: 0 };
    let form = RegistrationForm {
        first_name: first_name.as_deref(),
        last_name: last_name.as_deref(),
        email: email.as_deref(),
        phone: phone.as_deref(),
        country_code: country_code.as_deref(),
        password: password.as_deref(),
    };
    rows::of(form.parse_without_strength_check(&rules), |parsed| {
        let (first, last) = (parsed.first_name.as_str(), parsed.last_name.as_str());
        let (code, country) = (parsed.country_code.to_string(), parsed.phone.country());
        let fields = [first, last, parsed.email.as_str(), parsed.phone.as_str(), &code, parsed.password.expose()];
        let derived = [parsed.email.canonical(), country.as_str()];
        fields.into_iter().chain(derived).map(str::to_owned).collect()
    })
}

/// The sentence of a code, for what a page finds wrong before any text is there.
#[wasm_bindgen]
#[must_use]
pub fn title(code: &str) -> Option<String> {
    Code::ALL.iter().find(|known| known.as_str() == code).map(|known| known.title().to_owned())
}

/// The default lengths of a password: fewest, most.
#[wasm_bindgen]
#[must_use]
pub fn default_lengths() -> Vec<usize> {
    let rules = PasswordRules::nist_mfa();
    vec![rules.min_length, rules.max_length]
}

fn cells(phone: &Phone) -> Vec<String> {
    vec![phone.as_str().to_owned(), phone.country().as_str().to_owned()]
}
