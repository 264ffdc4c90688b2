//! Names of realms and countries, ids, one-time tokens and codes: values that a client received from the server.
#![expect(clippy::expect_used, reason = "test kit: a valid text that does not parse is a failed test")]

use proptest::array::{uniform16, uniform32};
use proptest::prelude::{BoxedStrategy, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::fake_mac::hex;
use crate::fakes::randomness::SeededRandomness;
use portcullis_core::model::country::CountryCode;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::ports::randomness::Randomness as _;

/// Texts that are realms' names.
pub fn realm_text() -> BoxedStrategy<String> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,31}".boxed()
}

/// Texts that miss being a realm's name by one thing.
pub fn almost_realm() -> BoxedStrategy<String> {
    prop_oneof!["", "[0-9_-][a-z]{1,10}", "[a-z]{33,40}", "[a-z]{1,10}[/. %?#:][a-z]{1,10}", "[a-z]{1,5}[é\u{212a}]"]
        .boxed()
}

/// Realms.
///
/// # Panics
/// If a valid text does not parse.
pub fn realm() -> BoxedStrategy<Realm> {
    realm_text().prop_map(|text| Realm::parse(&text).expect("a realm")).boxed()
}

/// Texts that are country codes, of either kind and case.
pub fn country_code_text() -> BoxedStrategy<String> {
    let turned = |(code, lower, pad): (CountryCode, bool, String)| {
        let text = code.to_string();
        format!("{pad}{}", if lower { text.to_lowercase() } else { text })
    };
    (super::country_code(), any::<bool>(), "[ ]{0,2}").prop_map(turned).boxed()
}

/// Texts that miss being a country code by one thing.
pub fn almost_country_code() -> BoxedStrategy<String> {
    let never = select(vec!["", "+", "+0", "+01", "+999", "1", "++1", "+1x", "USA", "U", "ZZ", "QQ", "+１", "ÚS"]);
    prop_oneof![never.prop_map(str::to_owned), "[A-Z]{3,5}", "[+][0-9]{5,8}"].boxed()
}

/// Texts that are users' ids.
pub fn user_id_text() -> BoxedStrategy<String> {
    user_id().prop_map(|id| id.to_string()).boxed()
}

/// Users' ids.
pub fn user_id() -> BoxedStrategy<UserId> {
    uniform16(any::<u8>()).prop_map(UserId::from_bytes).boxed()
}

/// Texts that miss being a user's id by one thing: cut, longer, in capitals, of another kind.
pub fn almost_user_id() -> BoxedStrategy<String> {
    let broken = |bytes: [u8; 16]| {
        let digits = hex(&bytes);
        let texts = vec![
            digits.clone(),
            format!("usr_{}", digits.get(1..).unwrap_or_default()),
            format!("usr_{digits}0"),
            format!("USR_{digits}"),
            format!("usr_{}F", digits.get(1..).unwrap_or_default()),
            format!("ses_{digits}"),
            format!(" usr_{digits}"),
            format!("usr_{digits}\0"),
        ];
        select(texts)
    };
    uniform16(any::<u8>()).prop_flat_map(broken).boxed()
}

/// One-time tokens.
pub fn one_time_token() -> BoxedStrategy<OpaqueToken> {
    any::<u64>().prop_map(|seed| OpaqueToken::random(seeded(seed))).boxed()
}

/// Texts that are one-time tokens.
pub fn one_time_token_text() -> BoxedStrategy<String> {
    one_time_token().prop_map(|token| token.expose()).boxed()
}

/// Texts that miss being a one-time token by one thing: cut, longer, padded, in the other alphabet.
pub fn almost_one_time_token() -> BoxedStrategy<String> {
    let broken = |text: String| {
        let cut = text.get(1..).unwrap_or_default().to_owned();
        select(vec![
            format!("{text}="),
            format!("{text}A"),
            format!(" {text}"),
            format!("+{cut}"),
            format!("{cut}+"),
            cut,
        ])
    };
    one_time_token_text().prop_flat_map(broken).boxed()
}

/// Random bytes of a seed.
fn seeded(seed: u64) -> impl Fn(&mut [u8]) {
    let randomness = SeededRandomness::new(seed);
    move |bytes| randomness.fill(bytes)
}

fn spaced(code: &TypedCode) -> String {
    let (first, second) = code.expose().split_at(3);
    format!(" {first} {second} ")
}

/// Texts that are OTPs, as people type them.
pub fn otp_text() -> BoxedStrategy<String> {
    let typed = |(seed, spaces): (u64, bool)| {
        let code = TypedCode::digits(seeded(seed));
        if spaces { spaced(&code) } else { code.expose().to_owned() }
    };
    (any::<u64>(), any::<bool>()).prop_map(typed).boxed()
}

/// Texts that miss being an OTP by one thing.
pub fn almost_otp() -> BoxedStrategy<String> {
    prop_oneof!["", "[0-9]{1,5}", "[0-9]{7,40}", "[0-9]{5}[a-zOl]", "[٠-٩]{6}", "-?[0-9]{2}[.,][0-9]{3}"].boxed()
}

/// Texts that are codes of a verification mail, as people type them.
pub fn code_text() -> BoxedStrategy<String> {
    let typed = |(seed, lower): (u64, bool)| {
        let code = TypedCode::letters(seeded(seed));
        if lower { spaced(&code).to_lowercase() } else { code.expose().to_owned() }
    };
    (any::<u64>(), any::<bool>()).prop_map(typed).boxed()
}

/// Texts that miss being such a code by one thing: a look-alike, a letter too many or too few.
pub fn almost_code() -> BoxedStrategy<String> {
    prop_oneof!["", "[ACDEFG]{1,5}", "[ACDEFG]{7,40}", "[ACDEFG]{5}[01258OILZSBUV]", "[А]{6}"].boxed()
}

/// Texts of 32 bytes that look random, as any token might.
pub fn noise() -> BoxedStrategy<String> {
    uniform32(any::<u8>()).prop_map(|bytes| hex(&bytes)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn valid_texts_parse(
            realm in realm_text(), country in country_code_text(), id in user_id_text(), token in one_time_token_text(),
            otp in otp_text(), code in code_text(),
        ) {
            prop_assert!(Realm::parse(&realm).is_ok(), "{realm:?}");
            prop_assert!(CountryCode::parse(&country).is_ok(), "{country:?}");
            prop_assert!(UserId::parse(&id).is_some(), "{id:?}");
            prop_assert!(OpaqueToken::parse(&token).is_some(), "{token:?}");
            prop_assert!(TypedCode::parse_digits(&otp).is_some(), "{otp:?}");
            prop_assert!(TypedCode::parse_letters(&code).is_some(), "{code:?}");
        }

        #[test]
        fn almost_valid_texts_do_not_parse(
            realm in almost_realm(), country in almost_country_code(), id in almost_user_id(),
            token in almost_one_time_token(), otp in almost_otp(), code in almost_code(), noise in noise(),
        ) {
            prop_assert!(Realm::parse(&realm).is_err(), "{realm:?}");
            prop_assert!(CountryCode::parse(&country).is_err(), "{country:?}");
            prop_assert!(UserId::parse(&id).is_none(), "{id:?}");
            prop_assert!(OpaqueToken::parse(&token).is_none(), "{token:?}");
            prop_assert!(OpaqueToken::parse(&noise).is_none(), "{noise:?}");
            prop_assert!(TypedCode::parse_digits(&otp).is_none(), "{otp:?}");
            prop_assert!(TypedCode::parse_letters(&code).is_none(), "{code:?}");
        }
    }
}
