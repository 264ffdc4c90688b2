//! The input of users and attackers, for property tests: texts that are valid, texts that are nearly so, hostile ones,
//! and the values that the valid ones parse to.
//!
//! ```
//! use portcullis_core::model::email::Email;
//! use portcullis_testkit::strategies::{almost_email, email, hostile};
//! use proptest::prelude::*;
//!
//! proptest!(|(good in email(), bad in almost_email(), ugly in hostile())| {
//!     prop_assert!(Email::parse(good.as_str()).is_ok());
//!     prop_assert!(Email::parse(&bad).is_err());
//!     let _ = Email::parse(&ugly); // whatever it is, it breaks nothing
//! });
//! ```
#![expect(clippy::expect_used, reason = "test kit: a valid text that does not parse is a failed test")]

mod rights;

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;

pub use self::rights::*;

use portcullis_core::model::country::{Country, CountryCode};
use portcullis_core::model::email::Email;
use portcullis_core::model::name::PersonName;
use portcullis_core::model::password::Password;
use portcullis_core::model::phone::{Phone, PhoneValidation};

/// Texts that break careless programs: any Unicode, controls, directions, line breaks, injections, giants.
pub fn hostile() -> BoxedStrategy<String> {
    let notorious = select(vec![
        "\0",
        "\r\nBcc: victim@example.com",
        "\u{202e}moc.elpmaxe@a",
        "\u{feff}",
        "\u{200b}\u{200d}",
        "e\u{301}\u{301}\u{301}\u{301}",
        "\u{fdfa}\u{fdfa}\u{fdfa}",
        "' OR 1=1 --",
        "{\"$gt\":\"\"}",
        "<script>alert(1)</script>",
        "{{7*7}}${7*7}",
        "../../etc/passwd",
        "%00%0d%0a",
        "=cmd|' /C calc'!A0",
        "ﬁﬂ①Ⅷ",
        "İıſK",
    ]);
    let around = (any::<String>(), notorious.clone(), any::<String>()).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
    prop_oneof![
        4 => any::<String>(),
        2 => "\\PC{0,300}",
        2 => "[\\x00-\\x1f\\x7f-\\x9f]{1,20}",
        2 => notorious.prop_map(str::to_owned),
        2 => around,
        1 => (1usize..70_000).prop_map(|length| "a".repeat(length)),
        1 => (1usize..3_000).prop_map(|length| "\u{1f3f4}\u{e0067}\u{301}".repeat(length)),
    ]
    .boxed()
}

fn local_part() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-zA-Z0-9]{1,16}(\\.[a-zA-Z0-9]{1,16}){0,2}",
        2 => "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,40}",
        1 => "\"[a-zA-Z0-9 @.,;]{1,20}\"",
        1 => "[à-öα-ωа-я一-龥]{1,10}",
    ]
    .boxed()
}

fn domain() -> BoxedStrategy<String> {
    const FANCY: [&str; 5] = ["münchen.de", "例子.公司", "пример.рф", "EXAMPLE.Com", "xn--mnchen-3ya.de"];
    prop_oneof![
        4 => "[a-z]([a-z0-9]{0,8}-)?[a-z0-9]{1,8}(\\.[a-z]{3,8}){1,2}",
        1 => select(FANCY.as_slice()).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Texts that are addresses.
pub fn email_text() -> BoxedStrategy<String> {
    (local_part(), domain(), "[ ]{0,2}").prop_map(|(local, domain, pad)| format!("{pad}{local}@{domain}")).boxed()
}

/// Texts that miss being an address by one thing.
pub fn almost_email() -> BoxedStrategy<String> {
    let parts = ("[a-z]{1,10}", "[a-z]{1,10}\\.[a-z]{2,4}");
    let broken = |(local, domain): (String, String)| {
        vec![
            format!("{local}{domain}"),
            format!("{local}@"),
            format!("@{domain}"),
            format!(".{local}@{domain}"),
            format!("{local}.@{domain}"),
            format!("{local}..{local}@{domain}"),
            format!("{local} {local}@{domain}"),
            format!("{local}@{domain}."),
            format!("{local}@.{domain}"),
            format!("{local}@-{domain}"),
            format!("{local}@{local}"),
            format!("{local}@{local}_{domain}"),
            format!("{local}@[127.0.0.1]"),
            format!("{local}@{domain},{local}@{domain}"),
            format!("{local}@{local}@{domain}"),
            format!("{local}@{domain}\r\nBcc: {local}@{domain}"),
            format!("{local}\u{202e}@{domain}"),
            format!("{local}\0@{domain}"),
            format!("<{local}@{domain}>"),
            format!("{}@{domain}", "a".repeat(65)),
            format!("{local}@{}.{domain}", "a".repeat(64)),
            format!("{local}@{}{domain}", "abcdefghi.".repeat(25)),
        ]
    };
    parts.prop_map(broken).prop_flat_map(select).boxed()
}

/// Addresses.
///
/// # Panics
/// If a valid text does not parse.
pub fn email() -> BoxedStrategy<Email> {
    email_text().prop_map(|text| Email::parse(&text).expect("a valid address")).boxed()
}

/// Texts that are names.
pub fn name_text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[A-Z][a-z]{1,12}([' -][A-Z][a-z]{1,12}){0,2}",
        2 => "[a-zà-öΑ-Ωа-я一-龥][\\p{L}' .-]{0,30}",
        1 => "[<>&\"'{}=%$;/]{0,10}[a-z]{1,10}",
        1 => (1usize..=100).prop_map(|length| "é".repeat(length)),
        1 => Just("  Zoe\u{308} ".to_owned()),
    ]
    .boxed()
}

/// Texts that miss being a name by one thing.
pub fn almost_name() -> BoxedStrategy<String> {
    prop_oneof![
        "[ \u{a0}\u{3000}]{0,5}",
        (101usize..300).prop_map(|length| "é".repeat(length)),
        ("[a-z]{1,10}", "[\\x00-\\x08\\x0e-\\x1f\\x7f\u{80}-\u{84}]", "[a-z]{1,10}")
            .prop_map(|(a, b, c)| format!("{a}{b}{c}")),
        ("[a-z]{1,10}", "[\u{202a}-\u{202e}\u{2066}-\u{2069}\u{2028}\u{2029}\r\n]", "[a-z]{1,10}")
            .prop_map(|(a, b, c)| format!("{a}{b}{c}")),
        "[\u{200b}-\u{200d}\u{2060}\u{feff}]{1,5}",
    ]
    .boxed()
}

/// Names.
///
/// # Panics
/// If a valid text does not parse.
pub fn name() -> BoxedStrategy<PersonName> {
    name_text().prop_map(|text| PersonName::parse(&text).expect("a valid name")).boxed()
}

/// Country codes of either kind.
pub fn country_code() -> BoxedStrategy<CountryCode> {
    let of = |country: Country| [CountryCode::Country(country), CountryCode::Dial(country.dial_code())];
    select(Country::all().flat_map(of).collect::<Vec<_>>()).boxed()
}

/// A number's text and the country code it belongs to. A number may be known to be of another country of its calling code.
pub fn phone_text() -> BoxedStrategy<(String, CountryCode)> {
    let of_its_country = |(code, national): (CountryCode, String)| {
        let dial = CountryCode::Dial(code.dial_code());
        let is_its = Phone::parse(&format!("+{}{national}", code.dial_code()), &code, PhoneValidation::E164).is_ok();
        (if is_its { code } else { dial }, national)
    };
    let digits = (country_code(), "[2-9][0-9]{6,9}").prop_map(of_its_country);
    let plain = digits.clone().prop_map(|(code, national)| (format!("+{}{national}", code.dial_code()), code));
    let spaced = digits.prop_map(|(code, national)| {
        let (area, rest) = national.split_at(3);
        (format!("+{} ({area}) {rest}", code.dial_code()), code)
    });
    prop_oneof![plain, spaced].boxed()
}

/// Texts that miss being a number of that country by one thing.
pub fn almost_phone() -> BoxedStrategy<(String, CountryCode)> {
    let broken = |(code, national): (CountryCode, String)| {
        let dial = code.dial_code();
        let other = if dial.to_string().starts_with('9') { "+1" } else { "+99" };
        let texts = vec![
            format!("++{dial}{national}"),
            format!("+0{dial}{national}"),
            format!("{other}{national}"),
            format!("+{dial}12"),
            format!("+{dial}{national}{national}"),
            format!("+{dial}{national}x"),
            format!("+{dial}{national};ext=1"),
            format!("+{dial}２２２２{national}"),
            String::new(),
            "+".to_owned(),
        ];
        (select(texts), Just(code))
    };
    (country_code(), "[2-9][0-9]{7,9}").prop_flat_map(broken).boxed()
}

/// Numbers.
///
/// # Panics
/// If a valid text does not parse.
pub fn phone() -> BoxedStrategy<Phone> {
    let parse = |(text, code): (String, CountryCode)| {
        Phone::parse(&text, &code, PhoneValidation::E164).expect("a valid number")
    };
    phone_text().prop_map(parse).boxed()
}

/// Unguessable texts: long and random, in several scripts.
pub fn password_text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{3}[0-9][A-Z]{3}[!-/]{2}[a-z]{5}[0-9]{2}[A-Z]{4}", "[à-öа-я一-龥]{20,60}", "[!-~]{24,64}",]
        .boxed()
}

/// Texts that are too short, too long or too easy for a new password.
pub fn almost_password() -> BoxedStrategy<String> {
    const EASY: [&str; 6] = ["password1", "12345678", "qwertyuiop", "aaaaaaaaaa", "abcdefgh", "iloveyou"];
    prop_oneof![
        "[!-~]{0,7}",
        (257usize..4200).prop_map(|length| "x9!Q".chars().cycle().take(length).collect::<String>()),
        select(EASY.as_slice()).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Passwords as typed at a login.
///
/// # Panics
/// If a valid text does not parse.
pub fn password() -> BoxedStrategy<Password> {
    password_text().prop_map(|text| Password::from_login_input(&text).expect("short enough")).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_core::model::password::PasswordRules;
    use portcullis_core::model::strength::StrengthContext;
    use proptest::prelude::*;

    fn new_password(text: &str) -> bool {
        Password::parse_new(text, &PasswordRules::nist_mfa(), &StrengthContext::of_year(2026)).is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn valid_texts_parse((number, code) in phone_text(), email in email_text(), name in name_text()) {
            prop_assert!(Email::parse(&email).is_ok(), "{email:?}");
            prop_assert!(PersonName::parse(&name).is_ok(), "{name:?}");
            prop_assert!(Phone::parse(&number, &code, PhoneValidation::E164).is_ok(), "{number:?} {code}");
        }

        #[test]
        fn almost_valid_texts_do_not_parse((number, code) in almost_phone(), email in almost_email(), name in almost_name()) {
            prop_assert!(Email::parse(&email).is_err(), "{email:?}");
            prop_assert!(PersonName::parse(&name).is_err(), "{name:?}");
            prop_assert!(Phone::parse(&number, &code, PhoneValidation::E164).is_err(), "{number:?} {code}");
        }

        #[test]
        fn hostile_texts_do_not_panic(text in hostile(), code in country_code()) {
            let _ = Email::parse(&text);
            let _ = PersonName::parse(&text);
            let _ = Phone::parse(&text, &code, PhoneValidation::E164);
            let _ = CountryCode::parse(&text);
            let _ = Password::from_login_input(&text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn only_good_passwords_pass(good in password_text(), bad in almost_password()) {
            prop_assert!(new_password(&good), "{good:?}");
            prop_assert!(!new_password(&bad), "{bad:?}");
        }
    }
}
