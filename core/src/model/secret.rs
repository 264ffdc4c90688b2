//! Secrets that are sent to clients: opaque one-time tokens and the texts of issued tokens.
//! No `Display`, a `Debug` that tells nothing, wiped when dropped.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 256 random bits that stand for a right to do one thing: a link of a mail, an OTP challenge, an MFA challenge.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct OpaqueToken([u8; 32]);

impl OpaqueToken {
    /// A new one, of bytes that `fill` draws at random.
    #[must_use]
    pub fn random(fill: impl Fn(&mut [u8])) -> Self {
        let mut bytes = [0; 32];
        fill(&mut bytes);
        Self(bytes)
    }

    /// Reads the 43 characters of unpadded URL-safe base64; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(bytes.as_slice().try_into().ok()?))
    }

    /// The text a client carries: 43 characters that need no escaping in a URL.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The bits themselves, for hashing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(redacted)")
    }
}

/// A secret text that is sent to its owner (an access or refresh token).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SecretString(String);

impl SecretString {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for the answer to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(bytes in any::<[u8; 32]>()) {
            let token = OpaqueToken(bytes);
            prop_assert_eq!(OpaqueToken::parse(&token.expose()), Some(token));
        }

        #[test]
        fn one_token_has_one_spelling(text in any::<String>()) {
            if let Some(token) = OpaqueToken::parse(&text) {
                prop_assert_eq!(token.expose(), text);
            }
        }
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", OpaqueToken([7; 32])), "OpaqueToken(redacted)");
        assert_eq!(format!("{:?}", SecretString::new("s3cret")), "SecretString(redacted)");
    }
}
