//! Secrets that stand in public source code and that attackers try first, packed by `cargo xtask published-secrets`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The first bytes of the SHA-256 of each secret in its canonical spelling, sorted. With 40,000 entries of 48 bits, one
/// random secret in seven billion is refused in vain.
const PACKED: &[u8] = include_bytes!("published_secrets.bin");
/// Bytes of an entry.
const PREFIX: usize = 6;

/// Whether the list has a secret. Case, punctuation and base64's alphabet and padding make no difference.
pub fn contains(secret: &str) -> bool {
    let (entries, _) = PACKED.as_chunks::<PREFIX>();
    let digest = Sha256::digest(canonical(secret).as_bytes());
    digest.first_chunk().is_some_and(|prefix| entries.binary_search(prefix).is_ok())
}

/// The spelling in which secrets are packed and looked up: ASCII letters in lower case, and digits.
fn canonical(secret: &str) -> Zeroizing<String> {
    let secret = secret.strip_prefix("base64:").unwrap_or(secret);
    Zeroizing::new(secret.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect())
}

/// The text that a secret encodes in base64 or hexadecimal digits, if it is printable ASCII. Random bytes never are.
pub fn encoded_text(secret: &str) -> Option<Zeroizing<String>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(secret).ok();
    let standard = GeneralPurpose::new(&alphabet::STANDARD, config).decode(secret).ok();
    [url_safe, standard, hexadecimal(secret)].into_iter().flatten().find_map(|bytes| printable(&bytes))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// Bytes as text, if there are enough of them to be no coincidence.
pub fn printable(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let is_text = bytes.len() >= 16 && bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    let text = is_text.then(|| std::str::from_utf8(bytes).ok())??;
    Some(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_secrets_are_known_in_every_spelling() {
        for secret in [
            "a-string-secret-at-least-256-bits-long",
            "A STRING SECRET AT LEAST 256 BITS LONG",
            "5af76599-4d52-4d6c-beac-ae647facb61c",
            "5af765994d524d6cbeacae647facb61c",
            "base64:/9QshpxORp0Mt68zOLiDNqdwRjxQFbThs0y1bsJ9+L4=",
            "_9QshpxORp0Mt68zOLiDNqdwRjxQFbThs0y1bsJ9-L4",
        ] {
            assert!(contains(secret), "{secret}");
        }
        assert!(!contains("kX9vQ2mT7rB4nL8yW3pZ6sD1fG5hJ0cV"));
        assert!(!contains(""));
    }

    #[test]
    fn the_list_is_sorted_without_duplicates() {
        let (entries, rest) = PACKED.as_chunks::<PREFIX>();
        assert!(entries.len() > 30_000 && rest.is_empty(), "{}", entries.len());
        assert!(entries.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn encoded_text_is_read() {
        for encoded in ["dGhpcy1pcy1teS1zZWNyZXQta2V5IQ==", "dGhpcy1pcy1teS1zZWNyZXQta2V5IQ"] {
            assert_eq!(encoded_text(encoded).unwrap().as_str(), "this-is-my-secret-key!");
        }
        assert_eq!(
            encoded_text("746869732d69732d6d792d7365637265742d6b657921").unwrap().as_str(),
            "this-is-my-secret-key!"
        );
        assert!(encoded_text("kX9vQ2mT7rB4nL8yW3pZ6sD1fG5hJ0cV").is_none());
    }
}
