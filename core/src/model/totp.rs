//! Time-based one-time passwords (RFC 6238) with the parameters that every authenticator app takes: HMAC-SHA-1, six
//! digits, steps of 30 seconds.

use std::fmt;
use std::fmt::Write as _;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::model::otp::TypedCode;
use crate::model::secret::SecretString;
use crate::model::time::Timestamp;

/// The length of a step in seconds.
const STEP_SECONDS: i64 = 30;
/// How many steps a client's clock may differ, either way (RFC 6238, section 5.2).
const DRIFT_STEPS: u64 = 1;

/// The key that an authenticator app and the account share: 160 bits, as long as the hash (RFC 4226, section 4, R6).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TotpSecret([u8; 20]);

impl TotpSecret {
    /// A new one, of bytes that `fill` draws at random.
    #[must_use]
    pub fn random(fill: impl Fn(&mut [u8])) -> Self {
        let mut bytes = [0; 20];
        fill(&mut bytes);
        Self(bytes)
    }

    /// Reads the 32 characters of base32.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(text.as_bytes()).ok()?);
        Some(Self(bytes.as_slice().try_into().ok()?))
    }

    /// The text that a person can type into an app: 32 characters of base32.
    #[must_use]
    pub fn to_base32(&self) -> SecretString {
        SecretString::new(BASE32_NOPAD.encode(&self.0))
    }

    /// The code of a step; `None` never happens with keys of this length.
    #[must_use]
    pub fn code_of(&self, step: u64) -> Option<TypedCode> {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.0).ok()?;
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        // dynamic truncation (RFC 4226, section 5.3)
        let offset = usize::from(digest.last()? & 0x0f);
        let four: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
        TypedCode::parse_digits(&format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000))
    }

    /// The step that a code is of, if it is around `now` and later than `last_step`. A code of an earlier or the same step
    /// was used before.
    #[must_use]
    pub fn matching_step(&self, code: &TypedCode, now: Timestamp, last_step: u64) -> Option<u64> {
        let current = step_at(now);
        let steps = current.saturating_sub(DRIFT_STEPS)..=current.saturating_add(DRIFT_STEPS);
        // every step is compared, so that the time does not tell which one it was
        steps.fold(None, |found, step| {
            let expected = self.code_of(step);
            let equal = expected.is_some_and(|it| bool::from(it.expose().as_bytes().ct_eq(code.expose().as_bytes())));
            if equal && step > last_step { Some(step) } else { found }
        })
    }

    /// The text of a QR code: the key URI format that authenticator apps read.
    #[must_use]
    pub fn to_uri(&self, issuer: &str, account: &str) -> SecretString {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.to_base32();
        SecretString::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP_SECONDS}",
            secret.expose()
        ))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(redacted)")
    }
}

/// The step of a time.
#[must_use]
pub fn step_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_secs().div_euclid(STEP_SECONDS)).unwrap_or(0)
}

/// The last step whose codes are accepted at `now`.
#[must_use]
pub fn last_accepted_step(now: Timestamp) -> u64 {
    step_at(now).saturating_add(DRIFT_STEPS)
}

/// Everything but the unreserved characters (RFC 3986, section 2.3) as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // writing to a text can't fail
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rfc_secret() -> TotpSecret {
        TotpSecret(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn code(text: &str) -> TypedCode {
        TypedCode::parse_digits(text).unwrap()
    }

    #[test]
    fn the_test_vectors_of_rfc_4226_and_rfc_6238_agree() {
        // RFC 4226, appendix D
        let by_counter =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, expected) in (0..).zip(by_counter) {
            assert_eq!(rfc_secret().code_of(counter).unwrap().expose(), expected);
        }
        // RFC 6238, appendix B: the last six of the eight digits
        let by_time = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, expected) in by_time {
            assert_eq!(rfc_secret().code_of(step_at(at(seconds))).unwrap().expose(), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late_and_only_once() {
        let (secret, now) = (rfc_secret(), at(1_234_567_890));
        let current = step_at(now);
        for (step, accepted) in [(-2i64, false), (-1, true), (0, true), (1, true), (2, false)] {
            let step = current.saturating_add_signed(step);
            let found = secret.matching_step(&secret.code_of(step).unwrap(), now, 0);
            assert_eq!(found, accepted.then_some(step));
        }
        let used = secret.code_of(current).unwrap();
        assert_eq!(secret.matching_step(&used, now, current), None);
        let next = secret.code_of(current + 1).unwrap();
        assert_eq!(secret.matching_step(&next, now, current), Some(current + 1));
        assert_eq!(secret.matching_step(&next, now, last_accepted_step(now)), None);
        assert_eq!(secret.matching_step(&code("000000"), now, 0), None);
    }

    #[test]
    fn a_label_may_have_any_character() {
        let uri = rfc_secret().to_uri("Ada & Söhne", "ada+x@example.com");
        assert_eq!(
            uri.expose(),
            "otpauth://totp/Ada%20%26%20S%C3%B6hne:ada%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Ada%20%26%20S%C3%B6hne&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{:?}", rfc_secret()), "TotpSecret(redacted)");
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(bytes in any::<[u8; 20]>()) {
            let secret = TotpSecret(bytes);
            prop_assert_eq!(TotpSecret::parse(secret.to_base32().expose()), Some(secret));
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = TotpSecret::parse(&text);
        }
    }
}
