//! A whole registration at once: every field's every error in one go, for the server and the browser alike.

use crate::model::code::{Code, Violation};
use crate::model::country::{CountryCode, CountryError};
use crate::model::email::{Email, EmailError};
use crate::model::name::{NameError, PersonName};
use crate::model::password::{Password, PasswordError, PasswordRules};
use crate::model::phone::{Phone, PhoneError, PhoneValidation, can_be_number};
use crate::model::strength::StrengthContext;

/// The fields as they came; `None` is missing. Not `Debug`: one of them is a password.
#[derive(Clone, Copy, Default)]
pub struct RegistrationForm<'a> {
    /// Given name.
    pub first_name: Option<&'a str>,
    /// Family name; a missing one is empty.
    pub last_name: Option<&'a str>,
    /// The address.
    pub email: Option<&'a str>,
    /// The number.
    pub phone: Option<&'a str>,
    /// `US` or `+1`.
    pub country_code: Option<&'a str>,
    /// The password.
    pub password: Option<&'a str>,
}

/// A registration whose every field is acceptable.
#[derive(Debug)]
pub struct ParsedRegistration {
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// The address.
    pub email: Email,
    /// The number.
    pub phone: Phone,
    /// As given.
    pub country_code: CountryCode,
    /// The password.
    pub password: Password,
}

/// The settings for registrations.
#[derive(Debug, Clone, Copy)]
pub struct FormRules<'a> {
    /// Of the password.
    pub passwords: &'a PasswordRules,
    /// Whether the mail server takes local parts beyond ASCII (RFC 6531).
    pub smtputf8: bool,
    /// Of the number.
    pub phones: PhoneValidation,
    /// A word the password must not lean on.
    pub app_name: &'a str,
    /// The current year, near which dates in a password are easy to guess.
    pub current_year: i32,
}

impl RegistrationForm<'_> {
    /// Reads all fields.
    ///
    /// # Errors
    /// One violation for each thing that is wrong with each field, in the order of the fields.
    pub fn parse(&self, rules: &FormRules<'_>) -> Result<ParsedRegistration, Vec<Violation>> {
        self.parse_with(rules, |text, names| {
            let context = StrengthContext::new(names, self.email, rules.app_name, rules.current_year);
            parse_password(text, rules.passwords, &context)
        })
    }

    /// Reads all fields, of the password only its length: a page loads the lists of words later.
    ///
    /// # Errors
    /// As [`Self::parse`], without a word on the password's strength.
    pub fn parse_without_strength_check(&self, rules: &FormRules<'_>) -> Result<ParsedRegistration, Vec<Violation>> {
        self.parse_with(rules, |text, _| parse_unmeasured_password(text, rules.passwords))
    }

    fn parse_with(
        &self,
        rules: &FormRules<'_>,
        judge: impl FnOnce(&str, &[&str]) -> Result<Password, Vec<Violation>>,
    ) -> Result<ParsedRegistration, Vec<Violation>> {
        let mut violations = Vec::new();
        let first_name = field("first_name", self.first_name, &mut violations, parse_first_name);
        let last_name = field("last_name", self.last_name.or(Some("")), &mut violations, parse_last_name);
        let email = field("email", self.email, &mut violations, |text| parse_recipient(text, rules.smtputf8));
        let country_at = violations.len();
        let country_code = field("country_code", self.country_code, &mut violations, parse_country_code);
        let country_violations = violations.split_off(country_at);
        let phone = match (&country_code, self.phone) {
            (Some(code), phone) => field("phone", phone, &mut violations, |text| parse_phone(text, code, rules.phones)),
            (None, None) => field("phone", None, &mut violations, |_| Err(Vec::new())),
            // of which country it is cannot be said, but whether it is a number at all
            (None, Some(text)) => {
                if !can_be_number(text) {
                    violations.push(Violation::new("phone", Code::PhoneInvalid));
                }
                None
            }
        };
        violations.extend(country_violations);
        let names: Vec<&str> = [self.first_name, self.last_name].into_iter().flatten().collect();
        let password = field("password", self.password, &mut violations, |text| judge(text, &names));
        match (first_name, last_name, email, phone, country_code, password) {
            (Some(first_name), Some(last_name), Some(email), Some(phone), Some(country_code), Some(password))
                if violations.is_empty() =>
            {
                Ok(ParsedRegistration { first_name, last_name, email, phone, country_code, password })
            }
            _ => Err(violations),
        }
    }
}

/// A present field through its parser, a missing one as `required`.
fn field<T>(
    name: &'static str,
    value: Option<&str>,
    violations: &mut Vec<Violation>,
    parse: impl FnOnce(&str) -> Result<T, Vec<Violation>>,
) -> Option<T> {
    let parsed = value.map_or_else(|| Err(vec![Violation::new(name, Code::Required)]), parse);
    parsed.map_err(|found| violations.extend(found)).ok()
}

/// A given name, or what is wrong with it.
///
/// # Errors
/// The violation of `first_name`.
pub fn parse_first_name(text: &str) -> Result<PersonName, Vec<Violation>> {
    PersonName::parse(text).map_err(|error: NameError| vec![Violation::new("first_name", error.code())])
}

/// A family name, which may be empty, or what is wrong with it.
///
/// # Errors
/// The violation of `last_name`.
pub fn parse_last_name(text: &str) -> Result<PersonName, Vec<Violation>> {
    PersonName::parse_family_name(text).map_err(|error: NameError| vec![Violation::new("last_name", error.code())])
}

/// An address to look up, or what is wrong with it.
///
/// # Errors
/// The violation of `email`.
pub fn parse_email(text: &str) -> Result<Email, Vec<Violation>> {
    Email::parse(text).map_err(of_email)
}

/// An address to write to, or what is wrong with it.
///
/// # Errors
/// The violation of `email`.
pub fn parse_recipient(text: &str, smtputf8: bool) -> Result<Email, Vec<Violation>> {
    Email::parse_recipient(text, smtputf8).map_err(of_email)
}

fn of_email(error: EmailError) -> Vec<Violation> {
    vec![match error {
        EmailError::NeedsSmtpUtf8 => {
            Violation::with_message("email", error.code(), "Only ASCII may stand before the @")
        }
        _ => Violation::new("email", error.code()),
    }]
}

/// A country code, or what is wrong with it.
///
/// # Errors
/// The violation of `country_code`.
pub fn parse_country_code(text: &str) -> Result<CountryCode, Vec<Violation>> {
    CountryCode::parse(text).map_err(|error: CountryError| vec![Violation::new("country_code", error.code())])
}

/// A number, or what is wrong with it.
///
/// # Errors
/// The violation of `phone`.
pub fn parse_phone(text: &str, code: &CountryCode, validation: PhoneValidation) -> Result<Phone, Vec<Violation>> {
    Phone::parse(text, code, validation).map_err(|error: PhoneError| vec![Violation::new("phone", error.code())])
}

/// A new password, or all that is wrong with it.
///
/// # Errors
/// The violations of `password`.
pub fn parse_password(
    text: &str,
    rules: &PasswordRules,
    context: &StrengthContext,
) -> Result<Password, Vec<Violation>> {
    Password::parse_new(text, rules, context).map_err(|errors| errors.iter().map(password_violation).collect())
}

/// A new password whose strength is measured elsewhere, or the violation by its length.
///
/// # Errors
/// The violations of `password`.
pub fn parse_unmeasured_password(text: &str, rules: &PasswordRules) -> Result<Password, Vec<Violation>> {
    Password::parse_without_strength_check(text, rules)
        .map_err(|errors| errors.iter().map(password_violation).collect())
}

/// The first problem of a password, as a violation of its field.
#[must_use]
pub fn password_violation(error: &PasswordError) -> Violation {
    Violation::with_message("password", error.code(), error.message())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(passwords: &PasswordRules) -> FormRules<'_> {
        FormRules {
            passwords,
            smtputf8: false,
            phones: PhoneValidation::E164,
            app_name: "Portcullis",
            current_year: 2026,
        }
    }

    const SEED: RegistrationForm<'static> = RegistrationForm {
        first_name: Some("John"),
        last_name: Some("Doe"),
        email: Some("john.doe@example.com"),
        phone: Some("+1234567890"),
        country_code: Some("US"),
        password: Some("SecureP@ssw0rd123!"),
    };

    fn codes(form: &RegistrationForm<'_>) -> Vec<(String, Code)> {
        let found = form.parse(&rules(&PasswordRules::nist_mfa())).expect_err("something is wrong");
        found.into_iter().map(|violation| (violation.field.into_owned(), violation.code)).collect()
    }

    #[test]
    fn the_example_of_the_readme_is_accepted() {
        assert!(SEED.parse(&rules(&PasswordRules::nist_mfa())).is_ok());
    }

    #[test]
    fn a_person_with_one_name_registers() {
        for last_name in [None, Some(""), Some("  ")] {
            let form = RegistrationForm { first_name: Some("Suharto"), last_name, ..SEED };
            assert_eq!(form.parse(&rules(&PasswordRules::nist_mfa())).unwrap().last_name.as_str(), "");
        }
        assert_eq!(
            codes(&RegistrationForm { last_name: Some("a\nb"), ..SEED }),
            [("last_name".to_owned(), Code::NameForbiddenCharacter)]
        );
    }

    #[test]
    fn every_field_tells_its_errors_at_once() {
        let required: Vec<_> =
            ["first_name", "email", "phone", "country_code", "password"].map(|f| (f.to_owned(), Code::Required)).into();
        assert_eq!(codes(&RegistrationForm::default()), required);
        let wrong =
            RegistrationForm { email: Some("nobody"), phone: Some("+49301234567"), password: Some("abc"), ..SEED };
        assert_eq!(
            codes(&wrong),
            [
                ("email".to_owned(), Code::EmailInvalid),
                ("phone".to_owned(), Code::PhoneCountryMismatch),
                ("password".to_owned(), Code::PasswordTooShort),
                ("password".to_owned(), Code::PasswordTooWeak),
            ]
        );
        assert_eq!(
            codes(&RegistrationForm { country_code: Some("XX"), ..SEED }),
            [("country_code".to_owned(), Code::CountryUnknown)]
        );
    }

    proptest! {
        #[test]
        fn no_input_breaks_it(text in any::<String>(), other in any::<String>()) {
            let form = RegistrationForm {
                first_name: Some(&text), last_name: Some(&other), email: Some(&text),
                phone: Some(&other), country_code: Some(&text), password: Some(&other),
            };
            let _ = form.parse(&rules(&PasswordRules::nist_mfa()));
        }
    }
}
