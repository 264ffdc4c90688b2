//! Undo records. Each change of an account's e-mail, phone, password or factors leaves one: the state before the change,
//! sealed under the account's data key, and the digest of the link that restores it. The link is bound to its change
//! and not to the credentials version: only use, expiry or the deletion of the account end it.

use crate::model::ids::{UndoId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest, Sealed};
use crate::model::time::Timestamp;

/// Wrong passwords after which a link restores nothing any more. It still disables the account.
pub const UNDO_TRIES: u8 = 5;

/// The kinds of change that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UndoableChange {
    /// Another e-mail address.
    Email,
    /// Another phone.
    Phone,
    /// Another password, by its owner or by a reset link.
    Password,
    /// A second factor was switched on or off, or got new backup codes.
    Factors,
}

impl UndoableChange {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::Password, Self::Factors];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Password => "password",
            Self::Factors => "factors",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.as_str() == text)
    }
}

/// One change of an account, as stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UndoRecord {
    /// The realm.
    pub realm: Realm,
    /// The id of the record.
    pub id: UndoId,
    /// The account.
    pub user: UserId,
    /// The kind of change.
    pub change: UndoableChange,
    /// The version that the change gave the account. Of two links, the one with the larger version is younger.
    pub version: u64,
    /// A [`FormerState`], sealed under the account's data key at this record's id.
    pub former: Sealed,
    /// Blind index of the address before a change of the e-mail. It stays reserved for the account until `expires_at`,
    /// also when the link has been used.
    pub reserved: Option<RingDigest>,
    /// Digest of the link, once its mail was made.
    pub token: Option<Digest>,
    /// Passwords that may still be tried with the link.
    pub tries_left: u8,
    /// Whether the link, or an older one of the account, has been used.
    pub used: bool,
    /// When the change was made.
    pub created_at: Timestamp,
    /// The link is dead from here on.
    pub expires_at: Timestamp,
}

/// How an account was entered and its owner reached before a change. Never stored unsealed.
#[derive(Clone, PartialEq, Eq)]
pub struct FormerState {
    /// The address as typed.
    pub email: String,
    /// E.164.
    pub phone: String,
    /// As given: `US` or `+1`.
    pub country_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Whether the phone was proven.
    pub phone_verified: bool,
    /// Whether an SMS code was asked for at login.
    pub mfa_sms: bool,
    /// The password hash, as a PHC string.
    pub password: String,
    /// The authenticator app that was on, as the text of a [`Totp`](crate::model::factor::Totp).
    pub totp: Option<String>,
    /// The backup codes, as the text of [`BackupCodes`](crate::model::factor::BackupCodes).
    pub backup_codes: Option<String>,
    /// The passkeys, as the text of [`Passkeys`](crate::model::passkey::Passkeys).
    pub passkeys: Option<String>,
}

impl FormerState {
    /// Whether a code to the phone proves the owner: SMS was a second factor then.
    #[must_use]
    pub const fn has_second_factor(&self) -> bool {
        self.mfa_sms
    }

    /// As text for sealing, a line for each field. No field can contain a line break.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Self { email, phone, country_code, country, phone_verified, mfa_sms, password, .. } = self;
        let Self { totp, backup_codes, passkeys, .. } = self;
        let person = format!("{email}\n{phone}\n{country_code}\n{country}\n{phone_verified}");
        let [totp, codes, passkeys] = [totp, backup_codes, passkeys].map(|text| text.as_deref().unwrap_or_default());
        format!("{person}\n{mfa_sms}\n{password}\n{totp}\n{codes}\n{passkeys}")
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().map(str::to_owned);
        let former = Self {
            email: line()?,
            phone: line()?,
            country_code: line()?,
            country: line()?,
            phone_verified: line()?.parse().ok()?,
            mfa_sms: line()?.parse().ok()?,
            password: line()?,
            // earlier versions end here or after the backup codes
            totp: line().filter(|text| !text.is_empty()),
            backup_codes: line().filter(|text| !text.is_empty()),
            passkeys: line().filter(|text| !text.is_empty()),
        };
        lines.next().is_none().then_some(former)
    }
}

impl std::fmt::Debug for FormerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FormerState(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_state_is_read_as_it_was_written() {
        let former = FormerState {
            email: "\"a b\"@example.org".to_owned(),
            phone: "+12025550100".to_owned(),
            country_code: "+1".to_owned(),
            country: "US".to_owned(),
            phone_verified: true,
            mfa_sms: false,
            password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
            totp: Some("ABC 1 2".to_owned()),
            backup_codes: None,
            passkeys: Some("pky 1 - true".to_owned()),
        };
        assert_eq!(FormerState::parse(&former.to_text()), Some(former.clone()));
        let earlier = |lines| former.to_text().lines().take(lines).collect::<Vec<_>>().join("\n");
        let without_passkeys = FormerState { passkeys: None, ..former.clone() };
        assert_eq!(FormerState::parse(&earlier(9)), Some(without_passkeys.clone()));
        assert_eq!(FormerState::parse(&earlier(7)), Some(FormerState { totp: None, ..without_passkeys }));
        assert_eq!(FormerState::parse(&format!("{}\n", former.to_text())), None);
        assert_eq!(FormerState::parse("one line"), None);
        assert_eq!(format!("{former:?}"), "FormerState(redacted)");
    }
}
