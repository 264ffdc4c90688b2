//! Whether a secret is one: long, of no list, random enough, and used for one thing only.

use super::SecretText;
use super::settings_reader::SettingsReader;

const SHORTEST: usize = 32;
/// The fix of nearly everything that can be wrong with a secret.
pub const GENERATE: &str = "use the output of `portcullis keys generate`";

/// Secrets that stand in readmes, tutorials and lists; compared without case and separators.
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

/// Refuses what is short, well known, or hardly random.
pub fn check(reader: &mut SettingsReader, name: &str, text: &str) {
    let chars: Vec<char> = text.chars().collect();
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let mut distinct = chars.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let what = if WELL_KNOWN.iter().any(|known| plain.contains(known)) {
        "is a value from a readme or a tutorial, which attackers try first".to_owned()
    } else if chars.len() < SHORTEST {
        format!("is {} characters long, {SHORTEST} are the least", chars.len())
    } else if distinct.len() < 10 {
        format!("has only {} different characters", distinct.len())
    } else if repeats(&chars) {
        "is one piece repeated".to_owned()
    } else if counts(&chars) {
        "is mostly a sequence such as 0123 or abcd".to_owned()
    } else {
        return;
    };
    reader.refuse(name, &what, GENERATE);
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
    steps * 2 > chars.len()
}
