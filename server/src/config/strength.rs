//! The rules for secrets: long, not published, random enough, and used for one purpose only.

use portcullis_core::model::strength::{StrengthContext, estimate, saved_by_words};

use super::settings_reader::SettingsReader;
use super::{SecretText, published_secrets};

/// The fewest characters of a secret.
pub const SHORTEST: usize = 32;
/// The fewest of the index key: 128 bits in base64.
pub const SHORTEST_INDEX_KEY: usize = 22;
/// The most guesses that words may save, as a power of ten. One random secret in 10^10 saves as many.
const MADE_OF_WORDS: f64 = 10.0;
/// The fewest guesses, as a power of ten: 66 bits.
const MIN_GUESSES_LOG10: f64 = 20.0;
/// The same for short secrets. A random one takes 0.75 or more.
const MIN_GUESSES_PER_CHARACTER: f64 = 0.65;
/// The fewest different characters. A random secret of 32 hexadecimal digits has fewer once in 10^7.
const FEWEST_CHARACTERS: usize = 8;
/// Dates near it are easy to guess. A year more or less changes nothing here.
const CURRENT_YEAR: i32 = 2026;
/// The fix of nearly everything that can be wrong with a secret.
pub const GENERATE: &str = "use the output of `portcullis keys generate`";
/// The fix for a key of the audit log.
pub const GENERATE_AUDIT: &str = "use the output of `portcullis keys generate --audit FILE`";

/// Secrets of readmes, tutorials and lists; compared without case and separators.
const WELL_KNOWN: &[&str] = &[
    "yourgeneratedjwtsecrethere",
    "yourgeneratedencryptionkeyhere",
    "yourgeneratedemailsalthere",
    "your256bitsecret",
    "yoursecretkey",
    "changeme",
    "supersecret",
    "secretkey",
    "mysecret",
    "jwtsecret",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "0123456789abcdef0123456789abcdef",
    "thisisasecret",
    "keyboardcat",
];

/// Placeholders of other services' secrets in readmes.
const PLACEHOLDERS: &[&str] = &["your_app_specific_password", "your_twilio_auth_token", "your_watchman_access_token"];

/// Refuses what is shorter than `shortest`, well known, or hardly random.
pub fn check(reader: &mut SettingsReader, name: &str, text: &str, shortest: usize) {
    let length = text.chars().count();
    let what = published(text).map(str::to_owned).or_else(|| {
        if length < shortest {
            return Some(format!("is {length} characters long, and needs at least {shortest}"));
        }
        weakness(text).map(str::to_owned)
    });
    if let Some(what) = what {
        reader.refuse(name, &what, GENERATE);
    }
}

/// Why a published text must not be a secret.
fn published(text: &str) -> Option<&'static str> {
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if WELL_KNOWN.iter().any(|known| plain.contains(known)) {
        return Some("is a value from a readme or a tutorial, which attackers try first");
    }
    published_secrets::contains(text).then_some("is in public source code, and attackers have lists of such secrets")
}

/// Why a text is easy to guess, whatever its length. No secret that was generated is.
fn weakness(text: &str) -> Option<&'static str> {
    let chars: Vec<char> = text.chars().collect();
    let mut distinct = chars.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < FEWEST_CHARACTERS {
        return Some("has too few different characters");
    }
    if repeats(&chars) {
        return Some("is one piece repeated");
    }
    if counts(&chars) {
        return Some("is mostly a sequence such as 0123 or abcd");
    }
    if saved_by_words(text) >= MADE_OF_WORDS {
        return Some("is made of words");
    }
    let guesses = estimate(text, &StrengthContext::of_year(CURRENT_YEAR)).guesses_log10;
    let length = u32::try_from(chars.len()).map_or(f64::INFINITY, f64::from);
    if guesses < MIN_GUESSES_LOG10.min(length * MIN_GUESSES_PER_CHARACTER) {
        return Some("is made of patterns, such as keys that are neighbours or pieces that repeat");
    }
    let decoded = published_secrets::encoded_text(text)?;
    published(&decoded).or_else(|| weakness(&decoded))
}

/// Why 32 bytes must not be an encryption key.
pub fn key_weakness(key_text: &str, key: &[u8; 32]) -> Option<&'static str> {
    let plain = published_secrets::printable(key).is_some();
    published(key_text).or_else(|| plain.then_some("is text in base64, not random bytes"))
}

/// Refuses a secret of another service that is still the readme's placeholder.
pub fn check_third_party_secret(reader: &mut SettingsReader, name: &str, text: &str) {
    if PLACEHOLDERS.contains(&text) {
        reader.refuse(name, "is the placeholder of a readme", "set it to what that service gave you, or remove it");
    }
}

/// Refuses a value that another secret has already; base64's two alphabets and its padding are no difference.
pub fn claim(reader: &mut SettingsReader, name: &'static str, text: &str) {
    let value = SecretText::new(text.trim_end_matches('=').replace('+', "-").replace('/', "_"));
    if let Some((other, _)) = reader.claimed.iter().find(|(_, known)| *known == value) {
        let what =
            if *other == name { "has one value twice".to_owned() } else { format!("has the same value as {other}") };
        reader.refuse(name, &what, "give each a value of its own");
    }
    reader.claimed.push((name, value));
}

fn repeats(chars: &[char]) -> bool {
    (1..=chars.len() / 2).any(|period| chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b))
}

fn counts(chars: &[char]) -> bool {
    let near = |a: char, b: char| u32::from(a).abs_diff(u32::from(b)) <= 1;
    let steps = chars.iter().zip(chars.iter().skip(1)).filter(|(a, b)| near(**a, **b)).count();
    steps * 3 > chars.len() * 2
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> Option<&'static str> {
        published(text).or_else(|| weakness(text))
    }

    #[test]
    fn secrets_of_people_are_refused_whatever_their_length() {
        for secret in [
            "your-256-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "a-valid-string-secret-that-is-at-least-384-bits-long",
            "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
            "changeme-changeme-please-change-me-now",
            "please-change-this-value-in-production",
            "this-is-my-very-long-production-secret",
            "OurCompanyProductionJwtSigningKey2026",
            "correct horse battery staple tulip window engine",
            "qwertyuiopasdfghjklzxcvbnm1234567890",
            "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
            "kX9vQ2mT7rB4kX9vQ2mT7rB4kX9vQ2mT7rB4",
            "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
            "5af76599-4d52-4d6c-beac-ae647facb61c",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        ] {
            assert!(refused(secret).is_some(), "{secret}");
            assert!(refused(&STANDARD.encode(secret)).is_some() || secret.len() < SHORTEST, "{secret} in base64");
        }
    }

    #[test]
    fn a_text_in_base64_is_no_encryption_key() {
        let text = b"an-ordinary-text-of-32-bytes-xyz";
        assert!(key_weakness(&STANDARD.encode(text), text).is_some());
        let published = "/9QshpxORp0Mt68zOLiDNqdwRjxQFbThs0y1bsJ9+L4=";
        assert!(key_weakness(published, &[0xff; 32]).is_some());
    }

    fn in_alphabet(bytes: &[u8], alphabet: &[u8]) -> String {
        bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
    }

    proptest! {
        // cargo xtask ci-full sets PROPTEST_CASES to a million
        #[test]
        fn generated_secrets_are_accepted(bytes in any::<[u8; 64]>()) {
            let hexadecimal: String = bytes[..32].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            // one of them a case: each is an estimate of a millisecond
            let secret = match bytes[63] % 7 {
                0 => URL_SAFE_NO_PAD.encode(&bytes[..16]),
                1 => URL_SAFE_NO_PAD.encode(&bytes[..32]),
                2 => URL_SAFE_NO_PAD.encode(&bytes[..48]),
                3 => hexadecimal[..32].to_owned(),
                4 => hexadecimal,
                5 => in_alphabet(&bytes[..32], b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01"),
                _ => in_alphabet(&bytes[..32], b"abcdefghijklmnopqrstuvwxyz012345"),
            };
            prop_assert_eq!(refused(&secret), None, "{}", secret);
        }
    }
}
