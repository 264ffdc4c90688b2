//! A session and the life of its refresh token: one branch lives, a lost reply is forgiven, a thief is caught.
//!
//! A refresh token names its session and proves by a MAC that we made it. The session remembers two digests: the
//! token that is good now (`current`) and the one it came from (`previous`). Any other genuine token of the
//! session is one whose successor was used, or a tripwire: presenting it is theft.

use std::time::Duration;

use crate::model::ids::{SessionId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest, Sealed};
use crate::model::time::Timestamp;

/// The time after a rotation in which the same successor is given again.
pub const REISSUE_WINDOW: Duration = Duration::from_secs(60);

/// How the person behind a session was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthMethods(u8);

impl AuthMethods {
    /// A password.
    pub const PASSWORD: Self = Self(1);
    /// A code sent by SMS.
    pub const SMS: Self = Self(2);
    /// A code of an authenticator app, or a backup code.
    pub const OTP: Self = Self(4);
    /// A passkey whose private key is on one device.
    pub const DEVICE_PASSKEY: Self = Self(8);
    /// A passkey whose private key may be on several devices.
    pub const SYNCED_PASSKEY: Self = Self(16);
    const PASSKEYS: u8 = Self::DEVICE_PASSKEY.0 | Self::SYNCED_PASSKEY.0;
    const ALL: u8 = 31;

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether more than a password was shown: a second factor, or a passkey, which is two factors by itself.
    #[must_use]
    pub const fn has_second_factor(self) -> bool {
        self.0 & (Self::SMS.0 | Self::OTP.0 | Self::PASSKEYS) != 0
    }

    /// Whether that second factor was another one than SMS.
    #[must_use]
    pub const fn has_factor_beyond_sms(self) -> bool {
        self.0 & (Self::OTP.0 | Self::PASSKEYS) != 0
    }

    /// Whether a passkey was used.
    #[must_use]
    pub const fn has_passkey(self) -> bool {
        self.0 & Self::PASSKEYS != 0
    }

    /// The values of the claim `amr` (RFC 8176). A passkey counts as two factors: each use verifies its user.
    #[must_use]
    pub fn amr(self) -> Vec<&'static str> {
        let several = self.0.count_ones() > 1 || self.has_passkey();
        let names = [
            (Self::PASSWORD, "pwd"),
            (Self::OTP, "otp"),
            (Self::SMS, "sms"),
            (Self::DEVICE_PASSKEY, "hwk"),
            (Self::SYNCED_PASSKEY, "swk"),
        ];
        let shown = names.into_iter().filter(|(method, _)| self.0 & method.0 != 0).map(|(_, name)| name);
        shown.chain(self.has_passkey().then_some("user")).chain(several.then_some("mfa")).collect()
    }

    /// The claim `acr`: `aal1` and `aal2` are the authenticator assurance levels of NIST SP 800-63B; `phr` is `aal2` by a
    /// phishing-resistant method.
    #[must_use]
    pub const fn acr(self) -> &'static str {
        match self {
            _ if self.has_passkey() => "phr",
            _ if self.has_second_factor() => "aal2",
            _ => "aal1",
        }
    }

    /// From the values of `amr`; `None` where one is unknown or `mfa` contradicts the others.
    #[must_use]
    pub fn from_amr<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let values: Vec<&str> = values.into_iter().collect();
        Self::from_bits((1..=Self::ALL).find(|bits| Self(*bits).amr() == values)?)
    }

    /// As stores keep them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From a store; `None` where no method or an unknown one is set.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits == 0 || bits > Self::ALL { None } else { Some(Self(bits)) }
    }
}

/// A login on one device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The population.
    pub realm: Realm,
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// The account that it belongs to.
    pub user: UserId,
    /// The account's credentials version when it was opened. The session is valid only while the two are equal.
    pub credentials_version: u64,
    /// The client's `User-Agent`, under the user's key.
    pub user_agent: Sealed,
    /// The client's coarse address, under the user's key.
    pub address: Sealed,
    /// When a password (and second factor) was last shown.
    pub authenticated_at: Timestamp,
    /// How it was authenticated then.
    pub methods: AuthMethods,
    /// Wrong passwords and codes that were given in it.
    pub failures: u8,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// Dead from here on, unless refreshed.
    pub idle_expires_at: Timestamp,
    /// Dead from here on, whatever happens.
    pub expires_at: Timestamp,
    /// The refresh token that is good now.
    pub current: Digest,
    /// The token it came from, with what is needed to answer a lost reply.
    pub previous: Option<Rotated>,
    /// Counts rotations, for compare-and-swap.
    pub version: u64,
}

/// A refresh token that has been exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rotated {
    /// Its digest.
    pub token: Digest,
    /// When it was exchanged.
    pub at: Timestamp,
    /// Its successor's nonce, masked by a digest of the exchanged token itself: only who holds that can read it.
    pub successor: [u8; 16],
}

/// The decision about a genuine refresh token of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshDecision {
    /// The current one: exchange it.
    Rotate,
    /// A lost reply: hand out the same successor once more.
    Reissue([u8; 16]),
    /// A late lost reply: hand out a fresh successor; the old one becomes a tripwire.
    Replace,
    /// Its successor was used, or it is a tripwire: the family ends.
    Theft,
}

impl Session {
    /// Whether the session's own clock has run out.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.idle_expires_at || now >= self.expires_at
    }

    /// Decides about a genuine refresh token of this session.
    #[must_use]
    pub fn evaluate_refresh_token(&self, token: &RingDigest, now: Timestamp) -> RefreshDecision {
        if token.has(&self.current) {
            return RefreshDecision::Rotate;
        }
        match &self.previous {
            Some(previous) if token.has(&previous.token) => {
                if now.since(previous.at) < REISSUE_WINDOW {
                    RefreshDecision::Reissue(previous.successor)
                } else {
                    RefreshDecision::Replace
                }
            }
            _ => RefreshDecision::Theft,
        }
    }
}
