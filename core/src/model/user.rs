//! A user: the sealed record of the store, and the decrypted profile, which only its owner sees.

use crate::model::country::{Country, CountryCode};
use crate::model::email::Email;
use crate::model::factor::{FactorMethod, SealedFactors};
use crate::model::ids::UserId;
use crate::model::locale::Locale;
use crate::model::name::PersonName;
use crate::model::phone::Phone;
use crate::model::realm::Realm;
use crate::model::role::Roles;
use crate::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use crate::model::time::Timestamp;

/// A password hash as a PHC string, e.g. `$argon2id$v=19$m=19456,t=2,p=1$…`. Stores get it sealed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string.
    #[must_use]
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), other.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

/// The sealed personal fields that a registration and a user have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SealedPerson {
    /// The person's data key under the server's ring.
    pub key: WrappedKey,
    /// Blind index of the e-mail.
    pub email_index: RingDigest,
    /// Given name.
    pub first_name: Sealed,
    /// Family name.
    pub last_name: Sealed,
    /// The address as typed.
    pub email: Sealed,
    /// E.164.
    pub phone: Sealed,
    /// As given: `US` or `+1`.
    pub country_code: Sealed,
    /// Derived: ISO 3166-1 alpha-2.
    pub country: Sealed,
    /// The language of mails, SMS and pages; records of older versions have none.
    pub locale: Option<Sealed>,
}

/// A registration whose address is not verified yet. Its id becomes the user's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registration {
    /// The realm in which it was made.
    pub realm: Realm,
    /// The id `create` answered with.
    pub id: UserId,
    /// The person, sealed.
    pub person: SealedPerson,
    /// The hash of the password given at this registration.
    pub password: Sealed,
    /// When `create` was called.
    pub created_at: Timestamp,
    /// It dies then, however often its mail is sent again.
    pub expires_at: Timestamp,
    /// Digest of the network (/24, /48) of the client that made it.
    pub network: Digest,
    /// Whether another registration of the address was pending during its life: then its link and code need the password
    /// too, because the reader of the mail can't tell whose registration it is.
    pub contested: bool,
    /// Wrong passwords given with its link or code.
    pub failures: u8,
}

/// A new address that counts once its link is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PendingEmail {
    /// Blind index of the new address.
    pub index: RingDigest,
    /// The new address as typed.
    pub email: Sealed,
}

/// An account, as stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// The population it belongs to.
    pub realm: Realm,
    /// Its name for ever.
    pub id: UserId,
    /// The person, sealed.
    pub person: SealedPerson,
    /// A new address that waits.
    pub pending_email: Option<PendingEmail>,
    /// The address before the last change, until its owner has been notified.
    pub previous_email: Option<Sealed>,
    /// The hash of the current password.
    pub password: Sealed,
    /// Whether the phone on record answered with an OTP.
    pub phone_verified: bool,
    /// Whether an SMS code is asked for at login.
    pub mfa_sms: bool,
    /// The other second factors.
    pub factors: SealedFactors,
    /// An operator has switched the account off.
    pub disabled: bool,
    /// The names that operators gave to it.
    pub roles: Roles,
    /// Sessions, links, codes and challenges are valid for one version only: raising it ends them all.
    pub credentials_version: u64,
    /// Counts changes; what compare-and-swap and `ETag` go by.
    pub version: u64,
    /// When the address was proven.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// A new account without a second factor or a role.
    #[must_use]
    pub fn new((realm, id): (Realm, UserId), person: SealedPerson, password: Sealed, now: Timestamp) -> Self {
        Self {
            realm,
            id,
            person,
            pending_email: None,
            previous_email: None,
            password,
            phone_verified: false,
            mfa_sms: false,
            factors: SealedFactors::default(),
            disabled: false,
            roles: Roles::default(),
            credentials_version: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether a login asks for a second factor.
    #[must_use]
    pub const fn has_second_factor(&self) -> bool {
        self.mfa_sms || self.has_factor_beyond_sms()
    }

    /// Whether a second factor stronger than SMS is on.
    #[must_use]
    pub const fn has_factor_beyond_sms(&self) -> bool {
        self.factors.totp.is_some() || self.factors.passkeys.is_some()
    }

    /// The methods by which a login can show a second factor, the strongest first.
    #[must_use]
    pub fn factor_methods(&self) -> Vec<FactorMethod> {
        let is_on = |method: &FactorMethod| match method {
            FactorMethod::Passkey => self.factors.passkeys.is_some(),
            FactorMethod::Totp => self.factors.totp.is_some(),
            FactorMethod::BackupCode => self.has_second_factor() && self.factors.backup_codes.is_some(),
            FactorMethod::Sms => self.mfa_sms,
        };
        FactorMethod::ALL.into_iter().filter(is_on).collect()
    }

    /// Removes what an account without a second factor may not have: backup codes and the role `admin`. With that role
    /// a stolen password would open the admin API, because the thief could switch a factor on.
    pub fn drop_what_needs_a_factor(&mut self) {
        if !self.has_second_factor() {
            self.factors.backup_codes = None;
            self.roles.remove_admin();
        }
    }

    /// Ends every right that was given before: sessions, tokens, links, codes, a pending e-mail change, a pending
    /// authenticator app and remembered devices are valid for one credentials version only.
    pub fn end_rights(&mut self) {
        self.credentials_version += 1;
        self.pending_email = None;
        self.factors.pending_totp = None;
        self.factors.devices = None;
    }
}

/// The second factors of an account, for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorOverview {
    /// Whether an SMS code is asked for at login.
    pub sms: bool,
    /// Whether the code of an authenticator app is asked for at login.
    pub totp: bool,
    /// How many backup codes are unused.
    pub backup_codes: usize,
    /// How many passkeys there are.
    pub passkeys: usize,
}

/// A user's own data, open. It is sent only to the user.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Their id.
    pub id: UserId,
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// The proven address.
    pub email: Email,
    /// A new address that waits.
    pub pending_email: Option<Email>,
    /// The number on record.
    pub phone: Phone,
    /// As given: `US` or `+1`.
    pub country_code: CountryCode,
    /// Derived.
    pub country: Country,
    /// The language of mails, SMS and pages.
    pub locale: Locale,
    /// Whether the number is proven.
    pub phone_verified: bool,
    /// The second factors that are on.
    pub factors: FactorOverview,
    /// When the account began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The version shown as `ETag`.
    pub version: u64,
}
