//! Second factors: the methods, and what an account keeps of each. A store gets it sealed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::ids::SessionId;
use crate::model::otp::TypedCode;
use crate::model::sealed::{Digest, Sealed};
use crate::model::time::Timestamp;
use crate::model::totp::TotpSecret;

/// How many backup codes a set has.
pub const BACKUP_CODES: usize = 10;

/// A way to show a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorMethod {
    /// A passkey, with its authenticator's check of its user.
    Passkey,
    /// The code of an authenticator app (RFC 6238).
    Totp,
    /// One of the codes that were made for the day on which everything else is lost.
    BackupCode,
    /// A code sent by SMS.
    Sms,
}

impl FactorMethod {
    /// All methods, the strongest first. SMS is the weakest: a phone company can give a number to someone else.
    pub const ALL: [Self; 4] = [Self::Passkey, Self::Totp, Self::BackupCode, Self::Sms];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Totp => "totp",
            Self::BackupCode => "backup_code",
            Self::Sms => "sms",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }
}

/// The second factors of an account other than SMS, and the devices that need none, as stores keep them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SealedFactors {
    /// A [`Totp`]. Present while the factor is on.
    pub totp: Option<Sealed>,
    /// A [`PendingTotp`].
    pub pending_totp: Option<Sealed>,
    /// The unused [`BackupCodes`]. Absent when none is left.
    pub backup_codes: Option<Sealed>,
    /// The [`Passkeys`](crate::model::passkey::Passkeys). Absent when there is none.
    pub passkeys: Option<Sealed>,
    /// The remembered [`Devices`](crate::model::device::Devices). Absent when there is none.
    pub devices: Option<Sealed>,
}

/// An authenticator app that is on.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// The shared key.
    pub secret: TotpSecret,
    /// The step of the newest code that was accepted. A code of it or of an earlier one is not accepted again.
    pub last_step: u64,
    /// When it was switched on.
    pub since: Timestamp,
}

/// An authenticator app whose first code is awaited.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingTotp {
    /// The shared key.
    pub secret: TotpSecret,
    /// The session that began it: another one can't confirm it.
    pub session: SessionId,
    /// Dead from here on.
    pub expires_at: Timestamp,
}

/// The unused ones of a set of backup codes, as HMAC-SHA-256 under a key of the set. Key and digests are sealed together,
/// like the key of an authenticator app: the codes stay good when the server's index key is replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupCodes {
    /// The key of the digests. No other set has it.
    key: [u8; 32],
    /// When the set was made.
    pub since: Timestamp,
    /// The digests of the unused codes.
    digests: Vec<Digest>,
}

impl Totp {
    /// As text for sealing, in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { secret, last_step, since } = self;
        format!("{} {last_step} {}", secret.to_base32().expose(), since.as_millis())
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [secret, last_step, since] = words(text)?;
        Some(Self {
            secret: TotpSecret::parse(secret)?,
            last_step: last_step.parse().ok()?,
            since: Timestamp::from_millis(since.parse().ok()?),
        })
    }
}

impl PendingTotp {
    /// As text for sealing, in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { secret, session, expires_at } = self;
        format!("{} {session} {}", secret.to_base32().expose(), expires_at.as_millis())
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [secret, session, expires_at] = words(text)?;
        Some(Self {
            secret: TotpSecret::parse(secret)?,
            session: SessionId::parse(session)?,
            expires_at: Timestamp::from_millis(expires_at.parse().ok()?),
        })
    }
}

impl BackupCodes {
    /// A new set and its codes, drawn from the random bytes of `fill`.
    #[must_use]
    pub fn random(fill: impl Fn(&mut [u8]), now: Timestamp) -> (Self, Vec<TypedCode>) {
        let mut key = [0; 32];
        fill(&mut key);
        let codes: Vec<TypedCode> = (0..BACKUP_CODES).map(|_| TypedCode::backup(&fill)).collect();
        let digests = codes.iter().filter_map(|code| digest(&key, code)).collect();
        (Self { key, since: now, digests }, codes)
    }

    /// How many are unused.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.digests.len()
    }

    /// The set without that code; `None` where it has no such code, or has it no more.
    #[must_use]
    pub fn without(&self, code: &TypedCode) -> Option<Self> {
        let code = digest(&self.key, code)?;
        let (used, digests): (Vec<Digest>, Vec<Digest>) = self.digests.iter().partition(|digest| digest.matches(&code));
        (!used.is_empty()).then_some(Self { digests, ..self.clone() })
    }

    /// Whether the other one is the same set, earlier or later.
    #[must_use]
    pub fn is_same_set(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Without the codes that are used in another state of the same set.
    #[must_use]
    pub fn without_used_in(mut self, other: &Self) -> Self {
        if self.is_same_set(other) {
            self.digests.retain(|digest| other.digests.contains(digest));
        }
        self
    }

    /// As text for sealing, in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let head = format!("{} {}", URL_SAFE_NO_PAD.encode(self.key), self.since.as_millis());
        self.digests.iter().fold(head, |text, digest| text + " " + &URL_SAFE_NO_PAD.encode(digest.as_bytes()))
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = |word: &str| -> Option<[u8; 32]> { URL_SAFE_NO_PAD.decode(word).ok()?.try_into().ok() };
        let mut words = text.split(' ');
        let (key, since) = (bytes(words.next()?)?, Timestamp::from_millis(words.next()?.parse().ok()?));
        let digests = words.map(|word| bytes(word).map(Digest::from_bytes)).collect::<Option<_>>()?;
        Some(Self { key, since, digests })
    }
}

/// `None` never happens: every key is long enough for HMAC.
fn digest(key: &[u8; 32], code: &TypedCode) -> Option<Digest> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(code.expose().as_bytes());
    Some(Digest::from_bytes(mac.finalize().into_bytes().into()))
}

/// The words of a text that has exactly so many.
fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split(' ').collect::<Vec<_>>().try_into().ok()
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Totp(redacted)")
    }
}

impl fmt::Debug for BackupCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupCodes({} unused)", self.digests.len())
    }
}

impl fmt::Debug for PendingTotp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingTotp(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    #[test]
    fn what_is_sealed_comes_back_as_it_was() {
        let (secret, at) = (TotpSecret::random(|bytes| bytes.fill(7)), Timestamp::from_millis(1_764_000_000_000));
        let totp = Totp { secret: secret.clone(), last_step: 58_800_000, since: at };
        assert_eq!(Totp::parse(&totp.to_text()), Some(totp.clone()));
        let pending = PendingTotp { secret, session: SessionId::from_bytes([3; 16]), expires_at: at };
        assert_eq!(PendingTotp::parse(&pending.to_text()), Some(pending.clone()));
        let (codes, _) = set(9);
        assert_eq!(BackupCodes::parse(&codes.to_text()), Some(codes.clone()));
        for wrong in ["", "A 1 2", "A 1", "A x", &format!("{} 1", totp.to_text()), &format!("{} !", codes.to_text())] {
            assert_eq!((Totp::parse(wrong), PendingTotp::parse(wrong), BackupCodes::parse(wrong)), (None, None, None));
        }
        assert_eq!(format!("{totp:?} {pending:?}"), "Totp(redacted) PendingTotp(redacted)");
    }

    /// A set drawn from bytes that count up from a number.
    fn set(start: u8) -> (BackupCodes, Vec<TypedCode>) {
        let next = AtomicU8::new(start);
        let fill = |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = next.fetch_add(1, Ordering::Relaxed));
        BackupCodes::random(fill, Timestamp::from_millis(5))
    }

    #[test]
    fn each_code_leaves_its_set_once() {
        let (full, codes) = set(0);
        assert_eq!((full.count(), codes.len()), (10, 10));
        let rest = full.without(&codes[3]).unwrap();
        assert_eq!((rest.count(), rest.without(&codes[3])), (9, None));
        assert_eq!(codes.iter().fold(full, |set, code| set.without(code).unwrap()).count(), 0);
    }

    #[test]
    fn a_used_code_stays_used_in_its_own_set_only() {
        let ((full, codes), (other, _)) = (set(0), set(7));
        let used = full.without(&codes[0]).unwrap().without(&codes[1]).unwrap();
        assert_eq!(full.clone().without_used_in(&used), used);
        assert_eq!(full.clone().without_used_in(&other), full);
        assert!(full.is_same_set(&used) && !full.is_same_set(&other));
    }

    #[test]
    fn methods_have_names_and_the_weakest_is_last() {
        for method in FactorMethod::ALL {
            assert_eq!(FactorMethod::parse(method.as_str()), Some(method));
        }
        assert_eq!(FactorMethod::ALL.last(), Some(&FactorMethod::Sms));
    }
}
