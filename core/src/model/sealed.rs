//! The forms in which a store holds personal data: sealed values, wrapped keys and keyed digests. They do not lead back
//! to the person without the keys, which no store has.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::model::realm::Realm;

macro_rules! opaque_bytes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// From the bytes of a cipher or a store.
            #[must_use]
            pub const fn from_bytes(bytes: Vec<u8>) -> Self {
                Self(bytes)
            }

            /// The bytes to keep.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    )*};
}

opaque_bytes! {
    /// One personal value, encrypted under its owner's data key and bound to its [`AadContext`].
    Sealed;
    /// A data key, encrypted under the server's ring. Destroying it erases everything sealed with the key.
    WrappedKey;
}

/// A person's own key, open. Lives only as long as the request that needs it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// From 256 random bits.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bits, for a cipher.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

/// HMAC-SHA-256 under a key of the server: equal for equal inputs, meaningless without the key.
/// Used to look an e-mail up (a blind index) and to recognise tokens and codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// The digests of one input under each key of the index key ring: one, or two while an old key and a new one are in it.
/// Two of them belong to the same input if they have a digest in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RingDigest {
    newest: Digest,
    other: Option<Digest>,
}

impl RingDigest {
    /// Under the first key of the ring, and under the second one where it has two.
    #[must_use]
    pub const fn new(newest: Digest, other: Option<Digest>) -> Self {
        Self { newest, other }
    }

    /// Under the first key of the ring.
    #[must_use]
    pub const fn newest(&self) -> &Digest {
        &self.newest
    }

    /// Under the second key of the ring.
    #[must_use]
    pub const fn other(&self) -> Option<&Digest> {
        self.other.as_ref()
    }

    /// All of them, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.newest).chain(self.other.as_ref())
    }

    /// Whether one of them is this digest. Compares in constant time.
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        self.all().any(|one| one.matches(digest))
    }

    /// Whether both are of the same input.
    #[must_use]
    pub fn same_input(&self, other: &Self) -> bool {
        self.all().any(|one| other.has(one))
    }

    /// The one that equals a stored digest, else the newest.
    #[must_use]
    pub fn like(&self, stored: &Digest) -> &Digest {
        self.other.as_ref().filter(|other| other.matches(stored)).unwrap_or(&self.newest)
    }

    /// As stores keep it: 32 bytes for each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.all().flat_map(|one| one.as_bytes().iter().copied()).collect()
    }

    /// From those bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (newest, rest) = bytes.split_first_chunk::<32>()?;
        let other = if rest.is_empty() { None } else { Some(Digest::from_bytes(rest.try_into().ok()?)) };
        Some(Self::new(Digest::from_bytes(*newest), other))
    }
}

impl From<Digest> for RingDigest {
    fn from(digest: Digest) -> Self {
        Self::new(digest, None)
    }
}

/// Which value of a record is sealed: part of the associated data, so that nothing sealed can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The data key itself.
    Key,
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// The proven address, or the one a registration claims.
    Email,
    /// A new address that waits for its link.
    PendingEmail,
    /// The address before the last change, stored until its owner has been notified.
    PreviousEmail,
    /// The state of an account before a change that can be undone.
    FormerState,
    /// E.164.
    Phone,
    /// `US` or `+1`, as given.
    CountryCode,
    /// ISO 3166-1 alpha-2, derived.
    Country,
    /// BCP 47.
    Locale,
    /// The hash of the password, as a PHC string.
    Password,
    /// The shared key of an authenticator app, and the step of its last code.
    Totp,
    /// The shared key of an authenticator app whose first code is awaited.
    PendingTotp,
    /// The digests of the unused backup codes.
    BackupCodes,
    /// The passkeys.
    Passkeys,
    /// The remembered devices.
    Devices,
    /// A session's user agent.
    UserAgent,
    /// A session's coarse address.
    Address,
    /// A session and its account in the cache.
    CachedSession,
    /// A copy of a message in the development mailbox.
    Message,
    /// The older secret of a webhook.
    OldSecret,
    /// The check value by which a database recognises its key.
    Check,
}

impl Field {
    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::PendingEmail => "pending_email",
            Self::PreviousEmail => "previous_email",
            Self::FormerState => "former_state",
            Self::Phone => "phone",
            Self::CountryCode => "country_code",
            Self::Country => "country",
            Self::Locale => "locale",
            Self::Password => "password",
            Self::Totp => "totp",
            Self::PendingTotp => "pending_totp",
            Self::BackupCodes => "backup_codes",
            Self::Passkeys => "passkeys",
            Self::Devices => "devices",
            Self::UserAgent => "user_agent",
            Self::Address => "address",
            Self::CachedSession => "cached_session",
            Self::Message => "message",
            Self::OldSecret => "old_secret",
            Self::Check => "check",
        }
    }
}

/// Where a sealed value belongs. Opening it anywhere else fails.
#[derive(Debug, Clone, Copy)]
pub struct AadContext<'a> {
    /// The realm of the record.
    pub realm: &'a Realm,
    /// The sixteen bytes of the record's id.
    pub record: &'a [u8; 16],
    /// The value's name.
    pub field: Field,
}
