//! Identifiers: typed, 128 random bits, never reused, printed with a prefix that names their kind.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The prefix of its text form.
            pub const PREFIX: &'static str = $prefix;

            /// A new one, of bytes that `fill` draws at random.
            #[must_use]
            pub fn random(fill: impl Fn(&mut [u8])) -> Self {
                let mut bytes = [0; 16];
                fill(&mut bytes);
                Self(bytes)
            }

            /// From its sixteen bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Reads the prefix and 32 lower-case hexadecimal digits; anything else is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                parse_hex(text.strip_prefix($prefix)?).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:032x}", $prefix, u128::from_be_bytes(self.0))
            }
        }
    )*};
}

ids! {
    /// A user, and the pending registration the user began as.
    UserId = "usr_";
    /// A session: one login on one device, with all its tokens.
    SessionId = "ses_";
    /// One access token (its `jti`).
    AccessTokenId = "jti_";
    /// A job of the queue.
    JobId = "job_";
    /// A passkey.
    PasskeyId = "pky_";
    /// A remembered device.
    DeviceId = "dev_";
    /// An undo record.
    UndoId = "und_";
    /// A chain of the audit log: the events that one run of an instance has numbered.
    ChainId = "chn_";
    /// A webhook.
    WebhookId = "whk_";
}

/// Sixteen bytes from 32 lower-case hexadecimal digits. One spelling only, so that ids compare as text too.
fn parse_hex(digits: &str) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = digits.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0u8, |value, digit| {
            let nibble = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            Some(value << 4 | nibble)
        })?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(bytes in any::<[u8; 16]>()) {
            let id = UserId::from_bytes(bytes);
            prop_assert_eq!(UserId::parse(&id.to_string()), Some(id));
            prop_assert_eq!(SessionId::parse(&id.to_string()), None);
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            if let Some(id) = UserId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in
            ["", "usr_", "usr_00", "USR_00000000000000000000000000000000", "usr_ABCDEF00000000000000000000000000"]
        {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }
}
